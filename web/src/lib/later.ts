/** After the first picture. */
const AFTER_MS = 1_000
/** A picture that takes longer is not waited for. */
const LONGEST_MS = 12_000
const AGAIN_MS = 5_000

let free = () => {}
const freed = new Promise<void>((resolve) => (free = resolve))

/** There is a picture, or nothing that could give one: until now the link was kept for it. */
export function freeLink(): void {
  free()
}

/**
 * Loads a module soon after the first picture, and again where it did not come.
 *
 * @returns stops it
 */
export function later<T>(load: () => Promise<T>, give: (loaded: T) => void): () => void {
  let left = false
  let begun = false
  let timer = setTimeout(attempt, LONGEST_MS)
  void freed.then(() => {
    if (left || begun) return
    clearTimeout(timer)
    timer = setTimeout(attempt, AFTER_MS)
  })
  function attempt() {
    begun = true
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
