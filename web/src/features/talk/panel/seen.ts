/** Less than the window by this much: a soft keyboard, not a browser's bar. */
const KEYBOARD_PX = 140

/**
 * Tells the styles what is seen above a soft keyboard, which only covers the page: `--seen` and `--seen-top` on the root, and
 * `data-typing` while it is there.
 *
 * @returns stops it
 */
export function watchSeen(): () => void {
  const viewport = window.visualViewport
  const root = document.documentElement
  if (!viewport) return () => undefined
  const look = () => {
    // Somebody who has zoomed in sees a part of the page, and wants to.
    const typing = viewport.scale < 1.1 && window.innerHeight - viewport.height > KEYBOARD_PX
    root.toggleAttribute('data-typing', typing)
    if (!typing) return clear()
    root.style.setProperty('--seen', `${viewport.height}px`)
    root.style.setProperty('--seen-top', `${viewport.offsetTop}px`)
  }
  const clear = () => {
    root.style.removeProperty('--seen')
    root.style.removeProperty('--seen-top')
  }
  viewport.addEventListener('resize', look)
  viewport.addEventListener('scroll', look)
  look()
  return () => {
    viewport.removeEventListener('resize', look)
    viewport.removeEventListener('scroll', look)
    root.removeAttribute('data-typing')
    clear()
  }
}
