/** The stage's options in an address. Pure. */
import { LOCALES, type Locale } from '$lib/i18n/messages'

export interface Asked {
  /** Null: the speaker's where the link allows it, else the hall's. */
  view: 'speaker' | 'hall' | null
  /** A lower third over whatever is behind: for OBS. */
  transparent: boolean
  theme: 'dark' | 'light'
  language: Locale | null
  /** The hall's code to show, and the place whose code is wanted where several are known. */
  code: string
  place: string
}

export function readAsked(search: string): Asked {
  const query = new URLSearchParams(search)
  const view = query.get('view')
  const language = query.get('lang')?.toLowerCase().split('-')[0]
  return {
    view: view === 'speaker' || view === 'hall' ? view : null,
    transparent: query.has('transparent') && !['0', 'false'].includes(query.get('transparent') ?? ''),
    theme: query.get('theme') === 'light' ? 'light' : 'dark',
    language: LOCALES.find((known) => known === language) ?? null,
    code: (query.get('code') ?? '').slice(0, 64),
    place: query.get('place') ?? '',
  }
}
