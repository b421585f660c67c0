const SMALLEST_PX = 14
/** Wider than this a word is too long for its line, and may be broken. */
const READABLE_PX = 26
/** Of the box' height: a question of two words need not fill the wall. */
const LARGEST = 0.3

/** The smallest letters that are still read from a desk. */
const LEAST_PX = 12

/** Makes the letters of a box smaller until all of it fits, whenever the box or what stands in it changes. */
export function shrink(box: HTMLElement, _contents: unknown) {
  const measure = () => {
    box.style.fontSize = ''
    const fits = () => box.scrollHeight <= box.clientHeight
    if (box.clientHeight === 0 || fits()) return
    let low = LEAST_PX
    let high = Number.parseFloat(getComputedStyle(box).fontSize)
    for (let step = 0; step < 8; step++) {
      const middle = (low + high) / 2
      box.style.fontSize = `${middle}px`
      if (fits()) low = middle
      else high = middle
    }
    box.style.fontSize = `${low}px`
  }
  const sizes = new ResizeObserver(measure)
  sizes.observe(box)
  measure()
  return { update: measure, destroy: () => sizes.disconnect() }
}

/**
 * Makes the text of a box' first child as large as the box allows, whenever either changes. Words are kept whole while they
 * can be read that way.
 */
export function fit(box: HTMLElement, _text: unknown) {
  const measure = () => {
    const text = box.firstElementChild
    if (!(text instanceof HTMLElement) || box.clientHeight === 0) return
    const largest_px = Math.max(SMALLEST_PX, Math.min(box.clientHeight * LARGEST, box.clientWidth * 0.14))
    const search = (wrap: 'normal' | 'anywhere'): number => {
      text.style.overflowWrap = wrap
      let low = SMALLEST_PX
      let high = largest_px
      for (let step = 0; step < 9; step++) {
        const middle = (low + high) / 2
        text.style.fontSize = `${middle}px`
        const fits = text.scrollHeight <= box.clientHeight && text.scrollWidth <= box.clientWidth
        if (fits) low = middle
        else high = middle
      }
      return low
    }
    let size_px = search('normal')
    if (size_px < Math.min(READABLE_PX, largest_px * 0.9)) size_px = search('anywhere')
    text.style.fontSize = `${size_px}px`
  }
  const sizes = new ResizeObserver(measure)
  sizes.observe(box)
  measure()
  return {
    update: measure,
    destroy: () => sizes.disconnect(),
  }
}
