/** A value that is shown for a while. Shown again, its time starts anew. */
export class Passing<T> {
  value = $state.raw<T | null>(null)
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(private readonly shown_ms: number) {}

  show(value: T): void {
    this.clear()
    this.value = value
    this.#timer = setTimeout(() => (this.value = null), this.shown_ms)
  }

  clear(): void {
    clearTimeout(this.#timer)
    this.value = null
  }
}
