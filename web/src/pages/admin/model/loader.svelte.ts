/** Something that a view shows and that is asked for again: what was known stays while it is. */
import { ApiFailure } from '$lib/api/client'

export class Loader<T> {
  value = $state.raw<T | null>(null)
  problem = $state.raw<ApiFailure | null>(null)
  busy = $state(false)
  private turn = 0

  /** The last one that was asked for wins. */
  async load(ask: () => Promise<T>): Promise<void> {
    const turn = ++this.turn
    this.busy = true
    try {
      const value = await ask()
      if (turn !== this.turn) return
      this.value = value
      this.problem = null
    } catch (error) {
      if (turn !== this.turn) return
      if (!(error instanceof ApiFailure)) throw error
      this.problem = error
    } finally {
      if (turn === this.turn) this.busy = false
    }
  }
}
