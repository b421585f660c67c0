/** Whether the room is ready for its next session: read while it is asked for, or due. */

import type { Api } from '$lib/api/api'
import {
  enumOr,
  listOf,
  type Read,
  readRecord,
  readText,
  readTextOrNull,
  readTime,
  readYes,
  shape,
} from '$lib/api/read'
import type { Schema } from '$lib/api/types'

export const LINES = [
  'level',
  'voice',
  'picture',
  'key',
  'disk',
  'flags',
  'captioner',
  'upload',
  'framing',
  'focus',
] as const
export type LineName = (typeof LINES)[number]
/** Lines that only a person can judge. */
export type Seen = 'framing' | 'focus'
export const isSeen = (name: LineName): name is Seen => name === 'framing' || name === 'focus'

const readLine = shape<Schema['ReadinessLine']>()(({ field, needed }) => ({
  name: needed('name', enumOr(LINES, null)),
  state: field('state', enumOr(['yes', 'no', 'not_yet', 'unknown'], 'unknown')),
  at_ms: field('at', readTime),
  by: field('by', readTextOrNull),
  details: field('details', readRecord),
}))
export type ReadinessLine = Read<typeof readLine>

export const readReadiness = shape<Schema['ReadinessView']>()(({ field }) => ({
  session: field('session', readTextOrNull),
  due: field('due', readYes),
  state: field('state', enumOr(['ready', 'not_ready', 'not_yet'], 'not_yet')),
  lines: field('lines', listOf(readLine)),
  room: field('room', readText),
}))
export type Readiness = Read<typeof readReadiness>

/** The lines that are wrong, to be said once where a session begins all the same. */
export const wrongLines = (readiness: Readiness | null): LineName[] =>
  readiness?.state === 'not_ready' ? readiness.lines.filter(({ state }) => state === 'no').map(({ name }) => name) : []

const POLL_MS = 4_000

export class Rehearsal {
  readiness = $state.raw<Readiness | null>(null)
  /** Somebody has asked for it. */
  asked = $state(false)
  busy = $state(false)
  /** Why what somebody saw was not taken; '' otherwise. */
  refused = $state('')
  /** Lines that were wrong when the running session began; said until somebody has read it. */
  startedWith = $state.raw<readonly LineName[]>([])

  private timer: ReturnType<typeof setTimeout> | undefined
  private stopped = false
  private said = ''
  private readonly path: string

  constructor(
    private readonly api: Api,
    room: string,
  ) {
    this.path = `/api/v1/rooms/${encodeURIComponent(room)}/readiness`
  }

  start(): void {
    void this.turn()
  }

  stop(): void {
    this.stopped = true
    clearTimeout(this.timer)
  }

  /** A session is on air: its start is said once, where the room was not ready. */
  running(session: string): void {
    if (session === this.said) return
    this.said = session
    this.startedWith = session === '' ? [] : wrongLines(this.readiness)
  }

  async seen(line: Seen): Promise<void> {
    this.busy = true
    const answer = await this.api.post(this.path, { [line]: true })
    this.refused = answer.ok ? '' : answer.error.code
    this.take(answer)
    this.busy = false
  }

  private async turn(): Promise<void> {
    this.take(await this.api.get(this.path))
    if (!this.stopped) this.timer = setTimeout(() => void this.turn(), POLL_MS)
  }

  private take(result: Awaited<ReturnType<Api['get']>>): void {
    const read = result.ok ? readReadiness(result.data) : null
    if (read && !this.stopped) this.readiness = read
  }
}
