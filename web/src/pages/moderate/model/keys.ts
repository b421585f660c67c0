/** Single-key shortcuts of moderators. Pure: a key event's fields in, a shortcut out. */

import { isTyping } from '$lib/typing'

export const SHORTCUTS = {
  down: 'j',
  up: 'k',
  left: 'h',
  right: 'l',
  pick: 'x',
  pickAll: 'X',
  pickEvery: 'A',
  approve: 'a',
  delete: 'd',
  deleteWhy: 'D',
  mute1: '1',
  mute2: '2',
  mute3: '3',
  ban: 'b',
  card: 'o',
  stage: 's',
  answered: 'e',
  undo: 'u',
  shield: '!',
  search: '/',
  pause: 'p',
  poll: 'v',
  help: '?',
} as const
export type Shortcut = keyof typeof SHORTCUTS | 'clear'

/** Seconds. The first three have keys. */
export const MUTES = [60, 600, 3_600, 86_400] as const

type KeyPress = Pick<
  KeyboardEvent,
  'key' | 'code' | 'repeat' | 'shiftKey' | 'altKey' | 'ctrlKey' | 'metaKey' | 'target'
> &
  Partial<Pick<KeyboardEvent, 'isComposing'>>

const BY_KEY = new Map<string, Shortcut>(Object.entries(SHORTCUTS).map(([name, key]) => [key, name as Shortcut]))
const MOVES = new Set<Shortcut>(['down', 'up'])
const STEPS = new Map([
  ['ArrowUp', -1],
  ['ArrowDown', 1],
  ['Home', -Infinity],
  ['End', Infinity],
])
/** Inputs in which nothing is typed. */
const FREE = ['radio', 'checkbox', 'button']

/** Null for keys that mean nothing here, with modifiers, held down (but for moves), or pressed while somebody types. */
export function shortcutOf(press: KeyPress): Shortcut | null {
  if (press.altKey || press.ctrlKey || press.metaKey || press.isComposing) return null
  if (isTyping(press.target, ...FREE)) return null
  const shortcut = named(press)
  return shortcut === null || (press.repeat && !MOVES.has(shortcut)) ? null : shortcut
}

/** Rows that a key of a list goes by, whether there are shortcuts or not; null for other keys. */
export function stepOf(press: KeyPress): number | null {
  if (press.altKey || press.ctrlKey || press.metaKey || press.shiftKey || isTyping(press.target, ...FREE)) return null
  return STEPS.get(press.key) ?? null
}

function named(press: KeyPress): Shortcut | null {
  if (press.key === 'Escape') return 'clear'
  // With caps lock on, a letter is the same letter.
  const key = !press.shiftKey && /^[A-Z]$/.test(press.key) ? press.key.toLowerCase() : press.key
  const exact = BY_KEY.get(key)
  if (exact) return exact
  // By place as well: the upper row of a French keyboard gives digits only with shift.
  const digit = press.shiftKey ? undefined : /^(?:Digit|Numpad)([123])$/.exec(press.code)?.[1]
  return digit ? `mute${digit as '1' | '2' | '3'}` : null
}
