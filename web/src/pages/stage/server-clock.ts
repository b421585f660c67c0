/** Batches of events that are remembered: some minutes of a quiet room. */
const SAMPLES = 20

/**
 * The server's time, out of what its messages say. Each was sent before it came, so that the one that says the latest time is
 * nearest. Counted on the machine's monotonic clock: setting the wall clock while a screen runs changes nothing.
 */
export class ServerClock {
  private offsets: number[] = []

  /** @param monotonic milliseconds since any moment, never set back */
  constructor(private readonly monotonic: () => number = () => performance.now()) {}

  /** A connection began: what was known may be from before the machine slept. */
  restart(at_ms: number): void {
    this.offsets = []
    this.told(at_ms)
  }

  /** A message that has just come was sent at `at_ms`. */
  told(at_ms: number): void {
    this.offsets.push(at_ms - this.monotonic())
    if (this.offsets.length > SAMPLES) this.offsets.shift()
  }

  /** UTC ms by the server; the machine's own clock before anything was told. */
  now_ms(): number {
    return this.offsets.length === 0 ? Date.now() : this.monotonic() + Math.max(...this.offsets)
  }
}
