import { readText, readYes } from '$lib/api/read'
import type { JsonObject } from '$lib/api/types'
import type { CaptionLanguage } from './captions.svelte'

interface Line {
  id: string
  lang: string
  text: string
  until_ms: number
}

/** A line that is still typed stays this long after its last letter. */
const TYPED_MS = 8_000
/** A finished one is read in this, and longer by its length. */
const READ_MS = 2_500
const CHARACTER_MS = 60
/** Lines of a language on the screen at once. */
const MOST_LINES = 2

/** A language in its own words. */
function nameOf(tag: string): string {
  try {
    return new Intl.DisplayNames([tag], { type: 'language' }).of(tag) ?? tag
  } catch {
    return tag
  }
}

/** Captions as they are told over the socket, for a picture that carries none of its own (WebRTC). */
export class SpokenCaptions {
  languages = $state.raw<readonly CaptionLanguage[]>([])
  private lines = $state.raw<readonly Line[]>([])
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor(private readonly now: () => number = () => performance.now()) {}

  /** The data of a `caption` event. */
  hear(data: JsonObject): void {
    const [id, lang, text] = [readText(data['id']), readText(data['lang']), readText(data['text'])]
    if (!id || !lang) return
    const stays_ms = readYes(data['final']) ? READ_MS + CHARACTER_MS * text.length : TYPED_MS
    const others = this.lines.filter((line) => line.id !== id)
    this.lines = text === '' ? others : [...others, { id, lang, text, until_ms: this.now() + stays_ms }]
    if (!this.languages.some(({ tag }) => tag === lang))
      this.languages = [...this.languages, { tag: lang, name: nameOf(lang) }]
    this.wait()
  }

  rows(lang: string | null): readonly string[] {
    return this.lines
      .filter((line) => line.lang === lang)
      .slice(-MOST_LINES)
      .flatMap(({ text }) => text.split('\n'))
  }

  clear(): void {
    clearTimeout(this.timer)
    this.lines = []
  }

  /** Until the first of them is over. */
  private wait(): void {
    clearTimeout(this.timer)
    const next_ms = Math.min(...this.lines.map(({ until_ms }) => until_ms))
    if (!Number.isFinite(next_ms)) return
    this.timer = setTimeout(
      () => {
        this.lines = this.lines.filter(({ until_ms }) => until_ms > this.now())
        this.wait()
      },
      Math.max(0, next_ms - this.now()),
    )
  }
}
