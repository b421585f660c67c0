import { differsFromOwn } from '$lib/time/times'

const KEY = 'streamer.clock'

/** The clock of the audience's pages: the venue's, or the reader's own where they chose it. */
class PageClock {
  /** Of the page's venue; undefined: not known. */
  venue = $state<string | undefined>()
  #mine = $state(stored())

  /** The reader's own clock was chosen. */
  get mine(): boolean {
    return this.#mine
  }

  /** The zone of times on this page; undefined: the reader's own. */
  get zone(): string | undefined {
    return this.zoneOf(this.venue)
  }

  /** The same for a time at another venue. */
  zoneOf(venue: string | undefined): string | undefined {
    return this.#mine ? undefined : venue
  }

  /** Changes all times of the page at once, and those of other pages from now on. */
  choose(mine: boolean): void {
    this.#mine = mine
    try {
      localStorage.setItem(KEY, mine ? 'mine' : 'venue')
    } catch {
      // For this page only.
    }
  }
}

function stored(): boolean {
  try {
    return localStorage.getItem(KEY) === 'mine'
  } catch {
    return false
  }
}

export const pageClock = new PageClock()

/** Whether there is anything to choose: a clock at the venue shows another time than the reader's. */
export const clocksDiffer = (venue: string | undefined, now_ms: number): boolean =>
  venue !== undefined && differsFromOwn(now_ms, venue)
