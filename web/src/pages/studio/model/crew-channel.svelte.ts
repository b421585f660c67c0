/* eslint svelte/prefer-svelte-reactivity: "off" -- maps and sets are replaced, never changed in place */
/**
 * The crew's private line in one room's studio, and what its viewers have trouble with. State only: `Day` feeds it with what
 * `/studio` sends and carries what is said.
 */

import type { Answer, LiveEvent } from '$lib/live/socket'
import type { JsonObject } from '$lib/api/types'
import { readText, readTextOrNull } from '$lib/api/read'
import { type CrewMessage, readTrouble, type Trouble } from '$features/talk/model/crew-messages'
import { keepMark, type MarkStore, readMark, unreadOf, withCrewMessage } from './crew-messages'

/** Older complaints of a kind no longer count (`streamer/audience/presence.py` counts those of one minute). */
export const TROUBLE_MS = 60_000
/** It may have been said all the same. */
const UNHEARD = new Set(['no_answer', 'timeout'])

export interface CrewChannelPorts {
  send(command: string, data: Record<string, unknown>): Promise<Answer>
  /** Server time, UTC ms. */
  now_ms(): number
  store: MarkStore
}

export class CrewChannel {
  /** The newest last. */
  lines = $state.raw<readonly CrewMessage[]>([])
  /** Grows with every line of somebody else's that comes while the page is open. */
  arrived = $state(0)
  /** Whether its panel is in sight, where what is new can be seen without being told of it elsewhere. */
  inSight = $state(false)
  draft = $state('')
  to = $state<'crew' | 'stage'>('crew')
  sending = $state(false)
  /** Code of why the last thing was not done; '' otherwise. */
  problem = $state('')
  /** Lines of this page: id -> the action that takes it back, null where nothing does. */
  own = $state.raw<ReadonlyMap<string, string | null>>(new Map())
  private mark_ms = $state<number | null>(null)
  private troubles = $state.raw<readonly Trouble[]>([])

  readonly unread: readonly CrewMessage[] = $derived.by(() =>
    unreadOf(this.lines, this.mark_ms, this.ports.now_ms(), this.own),
  )
  /** The text that was sent and may come back as an event before its answer does, or without one. */
  private awaited: string | null = null

  constructor(
    private readonly room: string,
    private readonly ports: CrewChannelPorts,
  ) {
    this.mark_ms = readMark(ports.store, room)
  }

  /** Viewers' complaints of the last minute, the most people first. */
  troublesNow(now_ms: number): readonly Trouble[] {
    return this.troubles
      .filter(({ at_ms, people }) => people > 0 && now_ms - at_ms < TROUBLE_MS)
      .sort((a, b) => b.people - a.people)
  }

  snapshot(data: JsonObject): void {
    // A snapshot that resumes has no lines: those that were missed follow as events.
    if (!Array.isArray(data['lines'])) return
    this.lines = (data['lines'] as unknown[]).reduce<readonly CrewMessage[]>(withCrewMessage, [])
    this.troubles = []
  }

  /** Whether it was one for here. */
  event({ type, data, at_ms }: LiveEvent): boolean {
    if (type === 'trouble') {
      const trouble = readTrouble(data, at_ms)
      if (trouble) this.troubles = [...this.troubles.filter(({ kind }) => kind !== trouble.kind), trouble]
      return true
    }
    if (type !== 'crew.line') return false
    const before = this.lines
    this.lines = withCrewMessage(before, data)
    if (this.lines.length > before.length || this.lines.at(-1)?.id !== before.at(-1)?.id) this.heard(data)
    return true
  }

  /** All that is there has been read. */
  seen(): void {
    const last = this.lines.at(-1)?.at_ms ?? null
    if (last === null || (this.mark_ms !== null && last <= this.mark_ms)) return
    this.mark_ms = last
    keepMark(this.ports.store, this.room, last)
  }

  /** Another page of this browser has read it. */
  marked(): void {
    const kept = readMark(this.ports.store, this.room)
    if (kept !== null && kept > (this.mark_ms ?? 0)) this.mark_ms = kept
  }

  /** Says what is in the draft. Never rejects; why it was not done is in `problem`, and the draft stays. */
  async say(): Promise<boolean> {
    const text = this.draft.trim()
    if (text === '' || this.sending) return false
    this.sending = true
    this.problem = ''
    this.awaited = text
    const answer = await this.ports.send('crew.say', { text, to: this.to })
    this.sending = false
    if (answer.ok) {
      const id = readText(answer.data['id'])
      this.own = new Map(this.own).set(id, readTextOrNull(answer.data['action']))
      this.said()
      return true
    }
    // It has come back as an event meanwhile.
    if (this.awaited === null) return true
    this.problem = answer.error.code
    if (!UNHEARD.has(answer.error.code)) this.awaited = null
    return false
  }

  /** Says something ready; what is being written stays. Never rejects. */
  async answer(text: string): Promise<boolean> {
    this.problem = ''
    const answer = await this.ports.send('crew.say', { text, to: 'crew' })
    if (answer.ok) {
      this.own = new Map(this.own).set(readText(answer.data['id']), readTextOrNull(answer.data['action']))
      this.seen()
    } else this.problem = answer.error.code
    return answer.ok
  }

  async takeBack(id: string): Promise<boolean> {
    const action = this.own.get(id)
    if (!action) return false
    this.problem = ''
    const answer = await this.ports.send('undo', { action })
    if (answer.ok) this.lines = this.lines.filter((line) => line.id !== id)
    else this.problem = answer.error.code
    return answer.ok
  }

  private heard(data: JsonObject): void {
    const id = readText(data['id'])
    const line = this.lines.find((one) => one.id === id)
    if (!line || this.own.has(id)) return
    if (line.text !== this.awaited) {
      this.arrived++
      return
    }
    this.own = new Map(this.own).set(id, null)
    this.said()
  }

  /** An answer marks the messages before it as read. */
  private said(): void {
    if (this.awaited !== null && this.draft.trim() === this.awaited) this.draft = ''
    this.awaited = null
    this.problem = ''
    this.seen()
  }
}
