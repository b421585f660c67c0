/** Waits between attempts: doubling from `firstMs` to `longestMs`, each shortened by up to a quarter so that a room full of
 * publishers does not come back in step. */
export class Backoff {
  private attempts = 0

  constructor(
    private readonly firstMs = 500,
    private readonly longestMs = 5000,
    private readonly random: () => number = Math.random,
  ) {}

  next(): number {
    const full = Math.min(this.longestMs, this.firstMs * 2 ** this.attempts)
    this.attempts = Math.min(this.attempts + 1, 16)
    return Math.round(full * (1 - this.random() / 4))
  }

  reset(): void {
    this.attempts = 0
  }
}
