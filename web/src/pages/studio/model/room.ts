/** What the server says of the room, polled. No DOM: fetch and timers are injected. */

import { authorization } from '$lib/api/client'
import { readCrewRoom, type CrewRoom } from './crew-room'

export interface TrackInfo {
  codec: string
  bitrate: number
  width?: number
  height?: number
  frame_rate?: number
  lost?: number
  packets?: number
  jitter_ms?: number
}

export interface SourceInfo {
  up: boolean
  publication?: string
  /** Server time of the last packet. */
  last_packet_ms?: number
  connection?: string
  client?: string
  video?: TrackInfo | null
  audio?: TrackInfo | null
  round_trip_ms?: number | null
  passthrough?: boolean
  notes?: string[]
}

export interface RoomInfo {
  id: string
  name: string
  state: 'off' | 'slate' | 'live'
  sources: Record<string, SourceInfo>
  /** What only its crew is told; null where the token opens no more than the public's view. */
  crew: CrewRoom | null
  /** The source that the programme takes, or `slate`; null where the server does not say. */
  onProgramme: string | null
}

export type RoomProblem = '' | 'unreachable' | 'unauthorized' | 'unknown_room'

export interface RoomState {
  info: RoomInfo | null
  problem: RoomProblem
  /** When `info` was read, ms on the local clock. */
  atMs: number
  /** Server's clock less the local one, ms. */
  clockOffsetMs: number
}

export interface RoomPorts {
  fetch: (url: string, init: RequestInit) => Promise<Response>
  setTimeout: (run: () => void, ms: number) => unknown
  clearTimeout: (handle: unknown) => void
  now: () => number
}

const REQUEST_TIMEOUT_MS = 4000
const SLOWEST_MS = 8000

/** Reads the answer leniently: a newer server may say more, an older one less. */
export function readRoom(value: unknown): RoomInfo | null {
  if (typeof value !== 'object' || value === null) return null
  const room = value as Record<string, unknown>
  const state = room['state']
  if (typeof room['id'] !== 'string' || (state !== 'off' && state !== 'slate' && state !== 'live')) return null
  const sources = room['sources']
  return {
    id: room['id'],
    name: typeof room['name'] === 'string' ? room['name'] : room['id'],
    state,
    sources: typeof sources === 'object' && sources !== null ? (sources as Record<string, SourceInfo>) : {},
    onProgramme: typeof room['on_programme'] === 'string' ? room['on_programme'] : null,
    crew: readCrewRoom(room),
  }
}

export class RoomWatch {
  private state: RoomState = { info: null, problem: '', atMs: 0, clockOffsetMs: 0 }
  private timer: unknown
  private running = false
  private failures = 0
  private offsets: number[] = []

  constructor(
    private readonly ports: RoomPorts,
    private readonly address: string,
    private readonly token: string,
    private readonly onChange: (state: RoomState) => void,
    private readonly everyMs: number,
  ) {}

  start(): void {
    if (this.running) return
    this.running = true
    void this.poll()
  }

  stop(): void {
    this.running = false
    this.ports.clearTimeout(this.timer)
  }

  /** One reading now, also between two polls. */
  async read(): Promise<RoomState> {
    const abort = new AbortController()
    const limit = this.ports.setTimeout(() => abort.abort(), REQUEST_TIMEOUT_MS)
    let next: Pick<RoomState, 'info' | 'problem'>
    try {
      const response = await this.ports.fetch(this.address, {
        headers: { ...authorization(this.token), Accept: 'application/json' },
        cache: 'no-store',
        credentials: this.token ? 'omit' : 'same-origin',
        signal: abort.signal,
      })
      next = await this.interpret(response)
    } catch {
      next = { info: null, problem: 'unreachable' }
    } finally {
      this.ports.clearTimeout(limit)
    }
    this.failures = next.problem === '' ? 0 : this.failures + 1
    // The last known room stays in sight while the server restarts.
    this.state = {
      ...this.state,
      ...(next.info ? { info: next.info, atMs: this.ports.now() } : {}),
      problem: next.problem,
    }
    this.onChange(this.state)
    return this.state
  }

  private async interpret(response: Response): Promise<Pick<RoomState, 'info' | 'problem'>> {
    if (response.status === 401 || response.status === 403) return { info: null, problem: 'unauthorized' }
    if (response.status === 404) return { info: null, problem: 'unknown_room' }
    if (!response.ok) return { info: null, problem: 'unreachable' }
    this.compareClocks(response.headers.get('Date'))
    const info = readRoom(await response.json())
    return info ? { info, problem: '' } : { info: null, problem: 'unreachable' }
  }

  /** `Date` is cut to the second and has travelled: the largest difference of several is nearest to the truth. */
  private compareClocks(date: string | null): void {
    const server = date ? Date.parse(date) : NaN
    if (Number.isNaN(server)) return
    this.offsets = [...this.offsets.slice(-59), server - this.ports.now()]
    this.state = { ...this.state, clockOffsetMs: Math.max(...this.offsets) }
  }

  private async poll(): Promise<void> {
    await this.read()
    if (!this.running) return
    const wait = Math.min(SLOWEST_MS, this.everyMs * 2 ** Math.min(this.failures, 2))
    this.timer = this.ports.setTimeout(() => void this.poll(), wait)
  }
}
