import type { LiveAuth, LiveHandlers } from './socket'

/** After the page has begun to play: the socket's code and its handshake are for later than the first picture. */
const AFTER_MS = 1_500

/**
 * Follows `/audience` from soon after the page has opened until the answer is called. The page's own polling goes on beside it:
 * where the socket is refused, or proxies let none through, the page only learns of changes later.
 */
export function follow(auth: LiveAuth, handlers: LiveHandlers): () => void {
  let leave = (): void => undefined
  let left = false
  const start = setTimeout(() => {
    void import('./shared').then(
      ({ join }) => {
        if (!left) leave = join(auth, handlers).leave
      },
      () => undefined, // Polling does.
    )
  }, AFTER_MS)
  return () => {
    left = true
    clearTimeout(start)
    leave()
  }
}

/** Calls back after up to a second: many pages that heard the same thing do not ask as one. */
export function spread(callback: () => void, longest_ms = 1_000): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined
  return () => {
    clearTimeout(timer)
    timer = setTimeout(callback, Math.random() * longest_ms)
  }
}
