const KEY = 'streamer.shortcuts'

/** Whether single keys work without focus in the player (WCAG 2.1.4 asks for a way to turn that off). */
export function shortcutsEverywhere(): boolean {
  try {
    return localStorage.getItem(KEY) !== 'focus'
  } catch {
    return true
  }
}

export function rememberShortcuts(everywhere: boolean) {
  try {
    localStorage.setItem(KEY, everywhere ? 'page' : 'focus')
  } catch {
    // For this page only.
  }
}
