/** Which stretches of a session's media time are read: the one that is seen, the one before it, and the next in time. */

export const STRETCH_MS = 5 * 60_000
/** So long before a stretch is reached it is read. */
export const AHEAD_MS = 60_000

/** Stretches by number, from 0 at the start of the replay. */
export class Stretches {
  private readonly known = new Set<number>()
  private readonly under = new Set<number>()

  constructor(
    readonly start_ms: number,
    readonly end_ms: number | null,
  ) {}

  /** The number of them; at least so many while the replay grows. */
  get count(): number {
    return this.end_ms === null ? Infinity : Math.max(1, Math.ceil((this.end_ms - this.start_ms) / STRETCH_MS))
  }

  of(media_ms: number): number {
    return Math.min(this.count - 1, Math.max(0, Math.floor((media_ms - this.start_ms) / STRETCH_MS)))
  }

  /** From included, to not. */
  span(number: number): readonly [from_ms: number, to_ms: number] {
    const from_ms = this.start_ms + number * STRETCH_MS
    return [from_ms, from_ms + STRETCH_MS]
  }

  /** The stretches to read at a media time, the most needed first; each is told once, unless it {@link failed}. */
  wanted(media_ms: number): number[] {
    const here = this.of(media_ms)
    const numbers = [here, here - 1]
    if (this.of(media_ms + AHEAD_MS) !== here) numbers.push(here + 1)
    return this.take(numbers)
  }

  /** The next that has not been read, from the start. */
  next(): number | null {
    if (this.count === Infinity) return null
    for (let number = 0; number < this.count; number++) {
      if (!this.known.has(number) && !this.under.has(number)) return this.take([number])[0] ?? null
    }
    return null
  }

  done(number: number): void {
    this.under.delete(number)
    this.known.add(number)
  }

  failed(number: number): void {
    this.under.delete(number)
  }

  has(number: number): boolean {
    return this.known.has(number)
  }

  /** Whether all that stands before a media time has been read back to some earlier one: that one. */
  readBackTo_ms(media_ms: number): number {
    let number = this.of(media_ms)
    while (number > 0 && this.known.has(number - 1)) number--
    return this.span(number)[0]
  }

  private take(numbers: readonly number[]): number[] {
    const fresh = numbers.filter(
      (number) => number >= 0 && number < this.count && !this.known.has(number) && !this.under.has(number),
    )
    for (const number of fresh) this.under.add(number)
    return fresh
  }
}
