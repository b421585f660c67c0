/** The page of one room: its audience, a closed session's own beside it, what is open of the page, and the moderator's settings. */
import type { KeyStore } from '$lib/kept-token'
import { isClosed } from '$lib/protocol/day'
import { AudienceModeration } from './audience-moderation.svelte'

export const VIEWS = ['queue', 'chat', 'questions', 'polls', 'room', 'crew', 'log'] as const
export type View = (typeof VIEWS)[number]
/** Beside queue and chat, where there is room for all three. */
export const SIDE: readonly View[] = ['questions', 'polls', 'room', 'crew', 'log']
/** Under one tab on a phone. */
export const MORE: readonly View[] = ['room', 'crew', 'log']

interface Settings {
  shortcuts: boolean
  sound: boolean
}

const KEY = 'streamer.moderate'

function load(store: KeyStore | null): Settings {
  try {
    const kept = JSON.parse(store?.getItem(KEY) ?? '{}') as Partial<Settings>
    return { shortcuts: kept.shortcuts !== false, sound: kept.sound === true }
  } catch {
    return { shortcuts: true, sound: false }
  }
}

export class ModerationPage {
  view = $state<View>('queue')
  settings = $state.raw<Settings>({ shortcuts: true, sound: false })
  /** The room's, and of a closed session while that is what is moderated. */
  readonly roomModeration: AudienceModeration
  private closed = $state.raw<AudienceModeration | null>(null)
  readonly moderation: AudienceModeration = $derived.by(() => this.closed ?? this.roomModeration)
  /** The running session that has an audience of its own. */
  readonly closedSession = $derived.by(() => {
    const { running } = this.roomModeration.audience
    return running && isClosed(running) ? running : null
  })
  readonly inClosed: boolean = $derived(this.closed !== null)
  readonly count: number = $derived.by(() => this.moderation.everything.length)

  constructor(
    readonly room: { id: string; name: string },
    readonly token: string,
    session: string | null,
    private readonly store: KeyStore | null,
    private readonly ring: () => void = () => undefined,
  ) {
    this.settings = load(store)
    this.roomModeration = this.make({ room: room.id })
    if (session !== null) this.closed = this.make({ session })
  }

  start(): void {
    this.roomModeration.start()
    this.closed?.start()
  }

  poke(): void {
    this.roomModeration.poke()
    this.closed?.poke()
  }

  /** The page is being left: nobody works on anything here any more. */
  letGo(): void {
    this.roomModeration.letGo()
    this.closed?.letGo()
  }

  close(): void {
    this.roomModeration.close()
    this.closed?.close()
  }

  /** To a closed session's own audience, or back to the room's. */
  turnTo(session: string | null): void {
    this.closed?.close()
    this.closed = session === null ? null : this.make({ session })
    this.closed?.start()
  }

  open(view: View): void {
    this.view = view
    if (view === 'queue' || view === 'chat' || view === 'questions') this.moderation.place = view
  }

  set(settings: Partial<Settings>): void {
    this.settings = { ...this.settings, ...settings }
    try {
      this.store?.setItem(KEY, JSON.stringify(this.settings))
    } catch {
      // For this page's life only.
    }
  }

  private make(where: { room: string } | { session: string }): AudienceModeration {
    const auth = { ...where, ...(this.token ? { token: this.token } : {}) }
    return new AudienceModeration(
      this.room.id,
      auth,
      (moderation) => moderation === this.moderation && this.settings.sound && this.ring(),
    )
  }
}
