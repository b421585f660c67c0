/** The wall's switches, kept in this browser. */

const keyOf = (name: 'keys' | 'kiosk'): string => `streamer.studio.wall.${name}`

export function switchedOn(store: Pick<Storage, 'getItem'>, name: 'keys' | 'kiosk', fallback: boolean): boolean {
  try {
    const kept = store.getItem(keyOf(name))
    return kept === null ? fallback : kept === 'on'
  } catch {
    return fallback
  }
}

export function keepSwitch(store: Pick<Storage, 'setItem'>, name: 'keys' | 'kiosk', on: boolean): void {
  try {
    store.setItem(keyOf(name), on ? 'on' : 'off')
  } catch {
    // Kept for this page's life only.
  }
}
