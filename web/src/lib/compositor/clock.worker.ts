/** Ticks at a frame rate for a page that draws by itself: unlike the page's, a worker's timers go on in a hidden tab. */

import { FrameGrid } from './pace'
import type { ClockMessage } from './protocol'

interface Scope {
  onmessage: ((event: MessageEvent<ClockMessage>) => void) | null
  postMessage(message: null): void
}

const scope = globalThis as unknown as Scope

let timer: ReturnType<typeof setTimeout> | undefined

scope.onmessage = ({ data }) => {
  clearTimeout(timer)
  if (data.rate === 0) return
  const grid = new FrameGrid(data.rate)
  const tick = (): void => {
    if (grid.due(performance.now()) !== null) scope.postMessage(null)
    timer = setTimeout(tick, grid.wait(performance.now()))
  }
  tick()
}
