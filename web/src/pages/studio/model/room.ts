/** A room as the server tells it, polled. No DOM: fetch and timers are injected. */

import { ask, type Fetch } from '$lib/api/client'
import { enumOrNull, readRecord, readTextOrNull, shape } from '$lib/api/read'
import type { AnyVersion, Schema } from '$lib/api/types'
import { named } from '$lib/protocol/day'
import { readCrewRoom } from './crew-room'

/** The public is told whether it is up, the crew all of it. */
export type SourceInfo = AnyVersion<Schema['SourceCrewView']>

const readTold = shape<Schema['RoomCrewView']>()(({ field, needed }) => ({
  id: needed('id', readTextOrNull),
  name: field('name', readTextOrNull),
  state: needed('state', enumOrNull(['off', 'slate', 'live'], 'off')),
  sources: field('sources', (value) => readRecord(value) as Record<string, SourceInfo>),
  /** The source that the programme takes, or `slate`; null where the server does not say. */
  onProgramme: field('on_programme', readTextOrNull),
}))

export function readRoom(body: unknown) {
  const room = named(readTold(body))
  // Null where the token opens no more than the public's view.
  return room && { ...room, crew: readCrewRoom(body) }
}
export type RoomInfo = NonNullable<ReturnType<typeof readRoom>>

export type RoomProblem = '' | 'unreachable' | 'unauthorized' | 'unknown_room'

export interface RoomReading {
  info: RoomInfo | null
  problem: RoomProblem
  /** When `info` was read, ms on the local clock. */
  atMs: number
  /** Server's clock less the local one, ms. */
  clockOffsetMs: number
}

export interface RoomPorts {
  fetch: Fetch
  setTimeout: (run: () => void, ms: number) => unknown
  clearTimeout: (handle: unknown) => void
  now: () => number
}

const REQUEST_TIMEOUT_MS = 4000
const PROBLEMS: Record<number, RoomProblem> = { 401: 'unauthorized', 403: 'unauthorized', 404: 'unknown_room' }
const SLOWEST_MS = 8000

export class RoomWatch {
  private state: RoomReading = { info: null, problem: '', atMs: 0, clockOffsetMs: 0 }
  private timer: unknown
  private running = false
  private failures = 0
  private offsets: number[] = []

  constructor(
    private readonly ports: RoomPorts,
    private readonly address: string,
    private readonly token: string,
    private readonly onChange: (state: RoomReading) => void,
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

  /** The room as somebody has just read it. */
  begin(info: RoomInfo): void {
    this.state = { ...this.state, info, atMs: this.ports.now() }
    this.onChange(this.state)
  }

  /** One reading now, also between two polls. */
  async read(): Promise<RoomReading> {
    const next = await this.ask()
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

  private async ask(): Promise<Pick<RoomReading, 'info' | 'problem'>> {
    const result = await ask(this.address, {
      token: this.token,
      cache: 'no-store',
      timeout_ms: REQUEST_TIMEOUT_MS,
      fetcher: this.ports.fetch,
    })
    if (!result.ok) return { info: null, problem: PROBLEMS[result.status] ?? 'unreachable' }
    if (result.date_ms !== null) this.compareClocks(result.date_ms)
    const info = readRoom(result.data)
    return info ? { info, problem: '' } : { info: null, problem: 'unreachable' }
  }

  /** `Date` is cut to the second and has travelled: the largest difference of several is nearest to the truth. */
  private compareClocks(date_ms: number): void {
    this.offsets = [...this.offsets.slice(-59), date_ms - this.ports.now()]
    this.state = { ...this.state, clockOffsetMs: Math.max(...this.offsets) }
  }

  private async poll(): Promise<void> {
    await this.read()
    if (!this.running) return
    const wait = Math.min(SLOWEST_MS, this.everyMs * 2 ** Math.min(this.failures, 2))
    this.timer = this.ports.setTimeout(() => void this.poll(), wait)
  }
}
