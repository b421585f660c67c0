import { getAll, getJson } from '$lib/api'
import { readList } from '$lib/api/client'
import { applyTheme } from '$lib/theme'
import { type EventInfo, readEvent } from '$lib/protocol/day'
import { pageOf, readReplay, readWanted, type Replay, type Wanted, writeWanted } from './wire'

const TYPING_MS = 300
const AT_ONCE = 24

/** The archive: what is looked for, and what is found of it so far. */
export class ArchivePage {
  wanted = $state.raw<Wanted>(readWanted(location.search))
  items = $state.raw<readonly Replay[]>([])
  events = $state.raw<readonly EventInfo[]>([])
  more = $state(false)
  loading = $state(true)
  unreachable = $state(false)

  private cursor: string | null = null
  private turn = 0
  private timer: ReturnType<typeof setTimeout> | undefined
  private readonly closing = new AbortController()

  start(): void {
    const { signal } = this.closing
    window.addEventListener('popstate', () => this.show(readWanted(location.search), 0), { signal })
    void getAll('events', {}, readEvent, signal).then(
      (events) => (this.events = events),
      () => undefined, // Without them one searches by words.
    )
    void this.look(false)
  }

  stop(): void {
    clearTimeout(this.timer)
    this.closing.abort()
  }

  /** Something else is looked for; the address tells it, so that it can be shared. */
  choose(change: Partial<Wanted>): void {
    const wanted = { ...this.wanted, ...change }
    const query = writeWanted(wanted)
    history.replaceState(history.state, '', location.pathname + (query && `?${query}`))
    this.show(wanted, 'q' in change ? TYPING_MS : 0)
  }

  /** The next ones. */
  next(): void {
    void this.look(true)
  }

  private show(wanted: Wanted, wait_ms: number): void {
    if (wanted.event !== this.wanted.event) this.dressAs(wanted.event)
    this.wanted = wanted
    this.loading = true
    clearTimeout(this.timer)
    this.timer = setTimeout(() => void this.look(false), wait_ms)
  }

  private dressAs(id: string): void {
    const event = this.events.find((one) => one.id === id)
    applyTheme(...(event ? [event] : []))
  }

  private async look(further: boolean): Promise<void> {
    const turn = ++this.turn
    this.loading = true
    const query = pageOf(this.wanted, AT_ONCE, further ? this.cursor : null)
    const list = await getJson(`/replays?${query}`, this.closing.signal)
      .then((body) => readList(body, readReplay))
      .catch(() => null)
    if (turn !== this.turn || this.closing.signal.aborted) return
    this.loading = false
    this.unreachable = list === null
    if (!list) return
    this.items = further ? [...this.items, ...list.items] : list.items
    this.cursor = list.cursor
    this.more = list.cursor !== null
  }
}
