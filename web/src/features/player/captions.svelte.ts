import type { SpokenCaptions } from './spoken.svelte'

/** Captions over the picture: which language, how large, where; remembered on this device. */

export type CaptionSize = 'small' | 'medium' | 'large'
export type CaptionPlace = 'bottom' | 'top'

export interface CaptionLanguage {
  /** BCP 47. */
  tag: string
  /** In the language itself. */
  name: string
}

const KEY = 'streamer.captions'
const SIZES: readonly CaptionSize[] = ['small', 'medium', 'large']

interface Kept {
  on: boolean
  language: string
  size: CaptionSize
  place: CaptionPlace
}

/** Reads the stored settings, as far as they make sense. */
export function readKept(text: string | null): Kept {
  const kept: Kept = { on: false, language: '', size: 'medium', place: 'bottom' }
  try {
    const found = JSON.parse(text ?? '{}') as Partial<Record<keyof Kept, unknown>> | null
    if (found?.on === true) kept.on = true
    if (typeof found?.language === 'string') kept.language = found.language
    const size = SIZES.find((known) => known === found?.size)
    if (size) kept.size = size
    if (found?.place === 'top') kept.place = 'top'
  } catch {
    // As if there were nothing.
  }
  return kept
}

/** The language to show of those that there are: the wanted one, one of its kind, the page's, the first. */
export function pickLanguage(there: readonly CaptionLanguage[], wanted: string, page: string): string | null {
  const primary = (tag: string) => tag.toLowerCase().split('-')[0]
  const by = (tag: string) =>
    there.find((one) => one.tag === tag) ?? there.find((one) => primary(one.tag) === primary(tag))
  return (by(wanted || page) ?? by(page) ?? there[0])?.tag ?? null
}

/** A cue's rows as plain text: what looks like markup in it was typed. */
function rowsOf(cue: VTTCue): string[] {
  return (cue.getCueAsHTML().textContent ?? '').split('\n').filter((row) => row !== '')
}

/**
 * The tracks stay hidden: loaded and timed by the browser, drawn by the page, so that size and place are the viewer's
 * and the text is above the controls. Only where the system plays full screen by itself does it draw them.
 */
export class Captions {
  readonly languages: readonly CaptionLanguage[] = $derived.by(() => this.spoken?.languages ?? this.ofTracks)
  on = $state(false)
  size = $state<CaptionSize>('medium')
  place = $state<CaptionPlace>('bottom')
  /** The lines that are shown now. */
  readonly rows: readonly string[] = $derived.by(() => {
    if (!this.spoken) return this.cueRows
    return this.on ? this.spoken.rows(this.language) : []
  })
  /** Told by the page, where what plays has no tracks. */
  spoken = $state.raw<SpokenCaptions | null>(null)
  /** The language that is or would be shown. */
  readonly language: string | null
  private ofTracks = $state.raw<readonly CaptionLanguage[]>([])
  private cueRows = $state.raw<readonly string[]>([])
  private wanted = $state('')
  private media: HTMLVideoElement | null = null
  private followed: TextTrack | null = null
  private systemDraws = false
  private readonly listening = new AbortController()

  constructor(private readonly page: () => string) {
    const kept = readKept(this.stored())
    this.on = kept.on
    this.wanted = kept.language
    this.size = kept.size
    this.place = kept.place
    this.language = $derived(pickLanguage(this.languages, this.wanted, this.page()))
  }

  attach(media: HTMLVideoElement): void {
    this.media = media
    const { signal } = this.listening
    const look = () => this.look()
    for (const what of ['addtrack', 'removetrack', 'change']) media.textTracks.addEventListener(what, look, { signal })
    media.addEventListener('emptied', look, { signal })
    media.addEventListener('loadedmetadata', look, { signal })
    media.addEventListener('webkitbeginfullscreen', () => this.fullscreen(true), { signal })
    media.addEventListener('webkitendfullscreen', () => this.fullscreen(false), { signal })
    this.look()
  }

  close(): void {
    this.listening.abort()
    this.follow(null)
  }

  toggle(): void {
    this.on = !this.on
    this.changed()
  }

  /** @param tag of a language, or null for none */
  choose(tag: string | null): void {
    this.on = tag !== null
    if (tag !== null) this.wanted = tag
    this.changed()
  }

  setSize(size: CaptionSize): void {
    this.size = size
    this.changed()
  }

  setPlace(place: CaptionPlace): void {
    this.place = place
    this.changed()
  }

  private changed(): void {
    try {
      const kept: Kept = { on: this.on, language: this.wanted, size: this.size, place: this.place }
      localStorage.setItem(KEY, JSON.stringify(kept))
    } catch {
      // Kept for this page's life only.
    }
    this.look()
  }

  private stored(): string | null {
    try {
      return localStorage.getItem(KEY)
    } catch {
      return null
    }
  }

  private tracks(): TextTrack[] {
    return [...(this.media?.textTracks ?? [])].filter(({ kind }) => kind === 'subtitles' || kind === 'captions')
  }

  private look(): void {
    const tracks = this.tracks()
    // A track of a stream that is over may stay in the element: one of each language.
    const fresh = tracks
      .filter(({ language }, index) => tracks.findIndex((other) => other.language === language) === index)
      .map(({ language, label }) => ({ tag: language, name: label || language }))
    if (JSON.stringify(fresh) !== JSON.stringify(this.ofTracks)) this.ofTracks = fresh
    const shown = this.on ? (tracks.findLast(({ language }) => language === this.language) ?? null) : null
    for (const track of tracks) {
      const mode = track !== shown ? 'disabled' : this.systemDraws ? 'showing' : 'hidden'
      if (track.mode !== mode) track.mode = mode
    }
    this.follow(shown)
  }

  private follow(track: TextTrack | null): void {
    if (track !== this.followed) {
      this.followed?.removeEventListener('cuechange', this.read)
      this.followed = track
      track?.addEventListener('cuechange', this.read)
    }
    this.read()
  }

  private readonly read = (): void => {
    const cues = [...(this.followed?.activeCues ?? [])] as VTTCue[]
    // Of two that overlap the newer one is read.
    const newest = cues.reduce<VTTCue | null>(
      (best, cue) => (best && best.startTime > cue.startTime ? best : cue),
      null,
    )
    const rows = newest && !this.systemDraws ? rowsOf(newest) : []
    if (rows.join('\n') !== this.cueRows.join('\n')) this.cueRows = rows
  }

  private fullscreen(on: boolean): void {
    this.systemDraws = on
    this.look()
  }
}
