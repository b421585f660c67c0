import { type Locale, pickLocale } from './messages'

const STORAGE_KEY = 'streamer.locale'

function stored(): string | null {
  try {
    return localStorage.getItem(STORAGE_KEY)
  } catch {
    return null // Embedded pages may be denied storage; the browser's languages then decide each time.
  }
}

class LocaleState {
  #current = $state<Locale>('en')

  constructor() {
    if (typeof navigator === 'undefined' || typeof document === 'undefined') return
    this.#current = pickLocale(stored(), navigator.languages ?? [navigator.language])
    document.documentElement.lang = this.#current
  }

  get current(): Locale {
    return this.#current
  }

  /** Changes the language of everything on the page at once and remembers it for all pages. */
  choose(locale: Locale): void {
    this.use(locale)
    try {
      localStorage.setItem(STORAGE_KEY, locale)
    } catch {
      // Kept for this page's life only.
    }
  }

  /** Changes it for this page only. */
  use(locale: Locale): void {
    this.#current = locale
    if (typeof document !== 'undefined') document.documentElement.lang = locale
  }
}

export const locale = new LocaleState()
