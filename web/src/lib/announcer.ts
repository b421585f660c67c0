/**
 * Paces what a live region says: at most one announcement in `interval_ms`, the latest wins, nothing is said twice.
 *
 * @param say writes into the region
 */
export class Announcer {
  #last = ''
  #saidAt = -Infinity
  #pending: string | null = null
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(
    private readonly say: (text: string) => void,
    private readonly interval_ms = 3000,
    private readonly now: () => number = () => performance.now(),
  ) {}

  announce(text: string): void {
    if (text === (this.#pending ?? this.#last)) return
    this.#pending = text
    if (this.#timer !== undefined) return
    const wait = this.#saidAt + this.interval_ms - this.now()
    if (wait <= 0) this.#flush()
    else this.#timer = setTimeout(() => this.#flush(), wait)
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#pending = null
  }

  #flush(): void {
    this.#timer = undefined
    const text = this.#pending
    this.#pending = null
    if (text === null || text === this.#last) return
    this.#last = text
    this.#saidAt = this.now()
    this.say(text)
  }
}
