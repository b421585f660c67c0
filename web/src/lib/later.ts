/** After the page has begun to play: what comes by this is for later than the first picture. */
const AFTER_MS = 1_500
const AGAIN_MS = 5_000

/**
 * Loads a module soon, and again where it did not come.
 *
 * @returns stops it
 */
export function later<T>(load: () => Promise<T>, give: (loaded: T) => void): () => void {
  let left = false
  let timer = setTimeout(attempt, AFTER_MS)
  function attempt() {
    load().then(
      (loaded) => left || give(loaded),
      () => left || (timer = setTimeout(attempt, AGAIN_MS)),
    )
  }
  return () => {
    left = true
    clearTimeout(timer)
  }
}
