import { ask, type Fetch } from '$lib/api/client'
import {
  listOf,
  openEnum,
  type Read,
  readNumber,
  readText,
  readTextOrNull,
  readTexts,
  readTime,
  readYes,
  shape,
} from '$lib/api/read'
import type { Schema } from '$lib/api/types'

const readChapter = shape<Schema['ApprovedChapter']>()(({ field }) => ({
  at_ms: field('at_ms', readNumber),
  label: field('label', readText),
}))

export type Asked = Read<typeof readAsked>
export const readAsked = shape<Schema['ApprovalView']>()(({ field, needed }) => ({
  title: field('title', readText),
  speakers: field('speakers', readTexts),
  room: field('room', readText),
  timezone: field('timezone', readText),
  start_ms: field('start_ms', readNumber),
  label: field('label', readText),
  publish: field('publish', readYes),
  published: field('published', readYes),
  state: needed('state', openEnum<Schema['ApprovalState']>()),
  note: field('note', readText),
  expires_ms: field('expires', readTime),
  edition: needed('edition', readTextOrNull),
  duration_ms: field('duration_ms', readNumber),
  url: needed('url', readTextOrNull),
  chapters: field('chapters', listOf(readChapter)),
}))

/** The question to a speaker about their replay, and the answer. */
export class Approval {
  asked = $state.raw<Asked | null>(null)
  /** The link is over, or was never good. */
  refused = $state(false)
  unreachable = $state(false)
  busy = $state(false)
  /** The cut was changed while it was looked at. */
  changed = $state(false)

  constructor(
    private readonly session: string,
    private readonly token: string,
    private readonly fetcher?: Fetch,
  ) {}

  async look(): Promise<void> {
    await this.request('GET', '')
  }

  async answer(approved: boolean, note = ''): Promise<boolean> {
    const edition = this.asked?.edition
    if (!edition || this.busy) return false
    this.busy = true
    this.changed = false
    const done = await this.request('POST', '/answer', { edition, approved, note })
    if (!done && this.changed) await this.look()
    this.busy = false
    return done
  }

  private async request(method: 'GET' | 'POST', path: string, json?: object): Promise<boolean> {
    const result = await ask(`/api/v1/recordings/${encodeURIComponent(this.session)}/approval${path}`, {
      method,
      token: this.token,
      ...(json && { json }),
      ...(this.fetcher && { fetcher: this.fetcher }),
    })
    this.unreachable = !result.ok && (result.status === 0 || result.status >= 500 || result.status === 429)
    if (result.ok) {
      this.asked = readAsked(result.data)
      this.refused = this.asked === null
    } else if (result.status === 409) this.changed = true
    else if (!this.unreachable) this.refused = true
    return result.ok
  }
}
