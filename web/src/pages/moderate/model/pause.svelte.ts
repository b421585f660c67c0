/* eslint svelte/prefer-svelte-reactivity: "off" -- sets and maps are replaced, never changed in place */
/**
 * Holds a list still while somebody reads in it: what comes meanwhile is counted, and shown when nothing holds it any more.
 * Entries that are in the list already go on changing.
 */
export type Reason = 'hover' | 'focus' | 'scroll' | 'key'

export class Pause {
  private reasons = $state.raw<ReadonlySet<Reason>>(new Set())
  private frozen = $state.raw<ReadonlySet<string> | null>(null)

  /** @param ids of what there is now, in order */
  constructor(private readonly ids: () => readonly string[]) {}

  get on(): boolean {
    return this.reasons.size > 0
  }

  has(reason: Reason): boolean {
    return this.reasons.has(reason)
  }

  hold(reason: Reason): void {
    if (this.reasons.has(reason)) return
    if (this.reasons.size === 0) this.frozen = new Set(this.ids())
    this.reasons = new Set([...this.reasons, reason])
  }

  let(reason: Reason): void {
    if (!this.reasons.has(reason)) return
    this.reasons = new Set([...this.reasons].filter((one) => one !== reason))
    if (this.reasons.size === 0) this.frozen = null
  }

  /** Shows what has come; what holds it still goes on holding it. */
  catchUp(): void {
    this.let('scroll')
    this.let('key')
    if (this.frozen) this.frozen = new Set(this.ids())
  }

  shown<T extends { id: string }>(items: readonly T[]): readonly T[] {
    const { frozen } = this
    return frozen === null ? items : items.filter(({ id }) => frozen.has(id))
  }

  fresh(items: readonly { id: string }[]): number {
    const { frozen } = this
    return frozen === null ? 0 : items.reduce((sum, { id }) => sum + (frozen.has(id) ? 0 : 1), 0)
  }
}

/** Rows of a long list that are in the page: a span that follows the end, or where somebody looks. */
export interface Span {
  start: number
  end: number
}

export const MOST_ROWS = 120
const STEP = 60

export const atEnd = (length: number): Span => ({ start: Math.max(0, length - MOST_ROWS), end: length })

export function earlier(span: Span, length: number): Span {
  const start = Math.max(0, span.start - STEP)
  return { start, end: Math.min(length, start + MOST_ROWS) }
}

export function later(span: Span, length: number): Span {
  const end = Math.min(length, span.end + STEP)
  return { start: Math.max(0, end - MOST_ROWS), end }
}

/** The span itself where the row is in it, else one around it. */
export function around(span: Span, index: number, length: number): Span {
  if (index < 0 || (index >= span.start && index < span.end)) return span
  const start = Math.max(0, Math.min(index - STEP, length - MOST_ROWS))
  return { start, end: Math.min(length, start + MOST_ROWS) }
}
