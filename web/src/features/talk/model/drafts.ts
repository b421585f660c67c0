/** Texts that were begun and not sent, kept for the visit. */
const key = (place: string, tab: string): string => `streamer.draft.${place}.${tab}`

export function readDraft(place: string, tab: string): string {
  try {
    return sessionStorage.getItem(key(place, tab)) ?? ''
  } catch {
    return ''
  }
}

export function keepDraft(place: string, tab: string, text: string): void {
  try {
    if (text.trim() === '') sessionStorage.removeItem(key(place, tab))
    else sessionStorage.setItem(key(place, tab), text)
  } catch {
    // Storage is denied: the draft lives as long as the page.
  }
}
