/** Where recordings were left, by session. Kept in this browser only. */

const KEY = 'streamer.resume'
const MOST = 60
/** Nobody wants to be asked for less. */
const LEAST_S = 15
/** Closer to the end it counts as watched. */
const END_S = 30

/** By session, the one that was watched last at the end: `[place, length]`, in seconds. */
type Places = [session: string, at_s: number, length_s: number][]

export class ResumePlaces {
  constructor(private readonly storage: Pick<Storage, 'getItem' | 'setItem'> | null) {}

  /** Seconds from the start; null where there is nothing to go on with. */
  of(session: string): number | null {
    return this.read().find(([id]) => id === session)?.[1] ?? null
  }

  keep(session: string, at_s: number, length_s: number): void {
    const others = this.read().filter(([id]) => id !== session)
    const worth = at_s >= LEAST_S && at_s < length_s - END_S
    const places: Places = worth ? [...others, [session, Math.floor(at_s), Math.floor(length_s)]] : others
    try {
      this.storage?.setItem(KEY, JSON.stringify(places.slice(-MOST)))
    } catch {
      // Nothing is kept where the browser keeps nothing.
    }
  }

  private read(): Places {
    try {
      const kept: unknown = JSON.parse(this.storage?.getItem(KEY) ?? '[]')
      return Array.isArray(kept) ? kept.filter(isPlace) : []
    } catch {
      return []
    }
  }
}

function isPlace(value: unknown): value is Places[number] {
  if (!Array.isArray(value)) return false
  const [session, at_s, length_s] = value as unknown[]
  return typeof session === 'string' && Number.isFinite(at_s) && Number.isFinite(length_s)
}

/** Those of this browser; none where it denies storage. */
export function resumePlaces(): ResumePlaces {
  try {
    return new ResumePlaces(localStorage)
  } catch {
    return new ResumePlaces(null)
  }
}
