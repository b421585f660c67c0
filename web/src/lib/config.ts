export interface PageRoom {
  id: string
  name: string
  /** The venue's name, its IANA zone and its partners' logos. */
  venue: string | null
  timezone: string | null
  logos: readonly string[]
}

export interface PageNow {
  title: string
  language: string
  speakers: readonly string[]
}

/** The venue or event whose name, logo and cover a page has; empty texts where it has none. */
export interface PageBranding {
  name: string
  logo: string
  cover: string
}

/** The configuration that the server gives a page in `<script type="application/json" id="streamer-config">`. */
export interface PageConfig {
  /** Null on pages of no room, and where the room is unknown. */
  room: PageRoom | null
  publicUrl: string
  version: string
  /** Whether this server offers WHEP to viewers. */
  whep: boolean
  iceServers: RTCIceServer[]
  branding?: PageBranding | null
  /** Whether whoever is logged in has a role with a page for each room, and no room of their own. */
  chooses?: boolean
  /** The public session that was on air in the room when the page was made. */
  now?: PageNow | null
  /** Of a link with a hall's code: what it stands for, or why it stands for nothing. */
  hall?: { code: string; place: string; problem: 'unknown' | 'too_many' | null }
}

const ROOM_ADDRESS = /^\/(?:watch|embed|studio|stage)\/([^/]+)\/?$/

function fromAddress(): PageConfig {
  const [, id] = ROOM_ADDRESS.exec(location.pathname) ?? []
  const room = id
    ? { id: decodeURIComponent(id), name: decodeURIComponent(id), venue: null, timezone: null, logos: [] }
    : null
  return { room, publicUrl: location.origin, version: 'dev', whep: true, iceServers: [] }
}

/** The page's configuration; in development, where no server puts one in, what the address itself tells. */
export function readConfig(): PageConfig {
  const fallback = fromAddress()
  const text = document.getElementById('streamer-config')?.textContent
  if (!text) return fallback
  return { ...fallback, ...(JSON.parse(text) as Partial<PageConfig>) }
}
