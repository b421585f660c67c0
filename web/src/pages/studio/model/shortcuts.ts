/** Single-key shortcuts. Pure: a key event's fields in, an action out. */

import { isTyping } from '$lib/typing'

/** Keys of the running day. */
export type DayAction = 'start' | 'end' | 'extend' | 'hold' | 'slate' | 'undo' | 'alarm' | 'snooze' | 'normal'
export type ShortcutAction = 'air' | 'mute' | 'help' | 0 | 1 | 2 | 3 | DayAction

const DAY_KEYS: Readonly<Record<string, DayAction>> = {
  n: 'start',
  e: 'end',
  x: 'extend',
  h: 'hold',
  l: 'slate',
  u: 'undo',
  k: 'alarm',
  z: 'snooze',
  y: 'normal',
}

interface KeyPress {
  key: string
  code: string
  repeat: boolean
  altKey: boolean
  ctrlKey: boolean
  metaKey: boolean
  target: EventTarget | null
}

/** Null for keys that mean nothing here, with modifiers, held down, or pressed while somebody types. */
export function shortcut(press: KeyPress): ShortcutAction | null {
  if (press.repeat || press.altKey || press.ctrlKey || press.metaKey) return null
  // Keys on a radio button or a tick box are free: arrows and space are theirs, digits and letters are not.
  if (isTyping(press.target, 'radio', 'checkbox')) return null
  // By place as well: the upper row of a French keyboard gives digits only with shift.
  const digit = /^(?:Digit|Numpad)([1-4])$/.exec(press.code)?.[1] ?? (/^[1-4]$/.test(press.key) ? press.key : undefined)
  if (digit) return (Number(digit) - 1) as 0 | 1 | 2 | 3
  const key = press.key.toLowerCase()
  switch (key) {
    case 'm':
      return 'mute'
    case 'o':
      return 'air'
    case '?':
      return 'help'
    default:
      return DAY_KEYS[key] ?? null
  }
}
