/** The name and the place of a participant without an account, remembered by this browser. */

const NAME = 'streamer.name'
const PLACE = 'streamer.place'
export const MOST_CHARACTERS = 40

const short = (text: string): string => [...text.trim()].slice(0, MOST_CHARACTERS).join('')

function stored(storage: () => Storage, key: string): string {
  try {
    return short(storage().getItem(key) ?? '')
  } catch {
    return '' // Denied, or a test's environment: nothing is remembered then.
  }
}

function store(storage: () => Storage, key: string, value: string): void {
  try {
    storage().setItem(key, short(value))
  } catch {
    // As above.
  }
}

/** For a connection's `auth`. The place of the address (a hall's link or QR code) counts for this visit. */
export function remembered(): { name?: string; place?: string } {
  const told = typeof location === 'undefined' ? '' : short(new URLSearchParams(location.search).get('place') ?? '')
  if (told) store(() => sessionStorage, PLACE, told)
  const name = stored(() => localStorage, NAME)
  const place = told || stored(() => sessionStorage, PLACE)
  return { ...(name && { name }), ...(place && { place }) }
}

export function remember({ name, place }: { name?: string; place?: string }): void {
  if (name !== undefined) store(() => localStorage, NAME, name)
  if (place !== undefined) store(() => sessionStorage, PLACE, place)
}

export function forgetMyself(): void {
  remember({ name: '', place: '' })
}
