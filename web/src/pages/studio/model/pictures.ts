/**
 * Small pictures of many rooms, each asked for every two seconds while it is in sight. A browser has six connections for one
 * server: four at most are used for pictures, whatever their number. No DOM: what is injected fetches and waits.
 */

export const EVERY_MS = 2_000
const AT_ONCE = 4
const LIMIT_MS = 6_000

export interface PicturePorts {
  fetch: (path: string, init: RequestInit) => Promise<Response>
  setTimeout: (run: () => void, ms: number) => unknown
  clearTimeout: (handle: unknown) => void
  now: () => number
}

interface Watched {
  path: string
  /** Null: there is none. Not called where the picture is the same as before. */
  show: (picture: Blob | null) => void
  due_ms: number
  busy: boolean
  etag: string
}

export const pictureOf = (room: string, source: string | null): string =>
  `/api/v1/rooms/${encodeURIComponent(room)}/picture.jpg${source === null ? '' : `?source=${encodeURIComponent(source)}`}`

export class Pictures {
  private readonly watched = new Set<Watched>()
  private timer: unknown
  private busy = 0

  constructor(private readonly ports: PicturePorts) {}

  /** Shows a picture from now on. Returns how to stop. */
  watch(path: string, show: (picture: Blob | null) => void): () => void {
    const one: Watched = { path, show, due_ms: this.ports.now(), busy: false, etag: '' }
    this.watched.add(one)
    this.turn()
    return () => {
      this.watched.delete(one)
    }
  }

  stop(): void {
    this.watched.clear()
    this.ports.clearTimeout(this.timer)
  }

  private turn(): void {
    this.ports.clearTimeout(this.timer)
    const now = this.ports.now()
    const waiting = [...this.watched].filter(({ busy }) => !busy).sort((a, b) => a.due_ms - b.due_ms)
    for (const one of waiting) {
      if (one.due_ms > now || this.busy >= AT_ONCE) break
      void this.ask(one)
    }
    const next = waiting.find(({ busy }) => !busy)
    // A free connection calls this again.
    if (next && this.busy < AT_ONCE) this.timer = this.ports.setTimeout(() => this.turn(), next.due_ms - now)
  }

  private async ask(one: Watched): Promise<void> {
    one.busy = true
    // All on one beat: pictures that come together are one frame of the page.
    one.due_ms = (Math.round(this.ports.now() / EVERY_MS) + 1) * EVERY_MS
    this.busy++
    try {
      const response = await this.ports.fetch(one.path, {
        // Asks whether it is still the same one.
        cache: 'no-cache',
        signal: AbortSignal.timeout(LIMIT_MS),
      })
      const etag = response.headers.get('ETag') ?? ''
      const same = etag !== '' && etag === one.etag
      const picture = response.ok && !same ? await response.blob() : null
      if (this.watched.has(one) && !same) {
        one.etag = response.ok ? etag : ''
        // An error of the server's tells nothing of the picture.
        if (response.ok || response.status === 404) one.show(picture)
      }
    } catch {
      // The next turn asks again; how old the row is says the rest.
    } finally {
      one.busy = false
      this.busy--
      this.turn()
    }
  }
}
