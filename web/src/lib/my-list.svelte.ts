/** The reader's own list of sessions. Kept in this browser only; the server does not learn of it. */
import { isRecord } from '$lib/api/read'
import type { Session } from '$lib/protocol/day'

const KEY = 'streamer.list'
const MOST = 200

/** As much of a session as its line and its reminder need, as it was when it was last seen. */
export interface ListedSession {
  id: string
  title: string
  speakers: readonly string[]
  start_ms: number
  end_ms: number
  place: string
}

class MyList {
  items = $state.raw<readonly ListedSession[]>(stored())

  has(id: string): boolean {
    return this.items.some((item) => item.id === id)
  }

  toggle(session: Session, place: string): void {
    if (this.has(session.id)) this.remove(session.id)
    else this.keep([...this.items, listed(session, place)])
  }

  remove(id: string): void {
    this.keep(this.items.filter((item) => item.id !== id))
  }

  /** Times and titles move: what is seen again is kept as it is now. */
  renew(sessions: readonly Session[]): void {
    let changed = false
    const items = this.items.map((item) => {
      const now = sessions.find(({ id }) => id === item.id)
      const fresh = now && listed(now, item.place)
      if (!fresh || JSON.stringify(fresh) === JSON.stringify(item)) return item
      changed = true
      return fresh
    })
    if (changed) this.keep(items)
  }

  private keep(items: readonly ListedSession[]): void {
    this.items = [...items].sort((a, b) => a.start_ms - b.start_ms).slice(-MOST)
    try {
      localStorage.setItem(KEY, JSON.stringify(this.items))
    } catch {
      // For this page only.
    }
  }
}

const listed = (session: Session, place: string): ListedSession => ({
  id: session.id,
  title: session.title,
  speakers: session.speakers,
  start_ms: session.shownStart_ms,
  end_ms: session.shownEnd_ms,
  place,
})

function stored(): ListedSession[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? '[]')
    return Array.isArray(kept) ? kept.filter(isListed) : []
  } catch {
    return []
  }
}

function isListed(value: unknown): value is ListedSession {
  return (
    isRecord(value) &&
    typeof value['id'] === 'string' &&
    typeof value['title'] === 'string' &&
    typeof value['place'] === 'string' &&
    Number.isFinite(value['start_ms']) &&
    Number.isFinite(value['end_ms']) &&
    Array.isArray(value['speakers'])
  )
}

export const myList = new MyList()
