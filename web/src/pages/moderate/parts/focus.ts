import type { AudienceModeration, Place } from '../model/audience-moderation.svelte'
import { stepOf } from '../model/keys'

/** From row to row of a grid; the focus follows the cursor. */
export function stepRows(event: KeyboardEvent, moderation: AudienceModeration, place: Place): void {
  const by = stepOf(event)
  if (by === null) return
  event.preventDefault()
  moderation.move(by, place)
}

/** Puts the focus on a row of a grid, unless somebody is in a field, a dialog or a row's own button. */
export function keepFocus(list: HTMLElement | undefined, key: string): void {
  const row = list?.querySelector<HTMLElement>(`[data-key="${CSS.escape(key)}"]`)
  if (!row) return
  const { activeElement } = document
  const free =
    activeElement === null || activeElement === document.body || activeElement.closest('[role="grid"]') !== null
  if (!free || row.contains(activeElement)) return
  row.focus({ preventScroll: true })
  row.scrollIntoView({ block: 'nearest' })
}
