// Sets here are values that nobody changes.
/* eslint-disable svelte/prefer-svelte-reactivity */
import type { Answer } from '$lib/live/socket'
import type { JsonObject } from '$lib/api/types'
import { readNumberOrNull, readRecord } from '$lib/api/read'

/** Why something was not taken, as it can be told. */
export interface Refusal {
  code: string
  /** This machine's clock, ms: when it passes by itself. */
  until_ms: number | null
  /** Characters that there may be. */
  most: number | null
}

export function refusalOf(answer: Extract<Answer, { ok: false }>, now_ms: number): Refusal {
  const { code, details, retryAfter_ms } = answer.error
  const most = readNumberOrNull(readRecord(details)['most'])
  return { code, until_ms: retryAfter_ms === null ? null : now_ms + retryAfter_ms, most }
}

export interface OutgoingMessage {
  readonly key: number
  readonly command: string
  readonly text: string
  readonly data: Readonly<Record<string, unknown>>
  /** Ids that are known already: an item of ours that is not among them may be this one. */
  readonly before: ReadonlySet<string>
  state: 'waiting' | 'sending' | 'sent' | 'refused'
  /** The item's id, once it is told. */
  id: string | null
  refusal: Refusal | null
  /** Sent, and no answer came: it may be there. */
  unsure: boolean
}

export interface OutboxPorts {
  send(command: string, data: Record<string, unknown>): Promise<Answer>
  /** The ids of what is known to be ours, and of those the ones that say this. */
  known(): ReadonlySet<string>
  arrived(message: OutgoingMessage): string | null
  now(): number
  /** Ours, as told by the server, is here. */
  shown(id: string): boolean
}

export const MOST_WAITING = 10
/** An answer that was lost: what was sent may come as an event in the meantime. */
const LOOK_AGAIN_MS = 2_000
/** After a connection, what was missed follows the snapshot. */
const AFTER_SNAPSHOT_MS = 400
/** The event of what was taken comes about with the answer. */
const SHOWN_WITHIN_MS = 4_000
/** No answer says whether it was done. */
const UNSURE = new Set(['no_answer', 'timeout'])

/**
 * Texts that the server has not taken yet, in order: kept while there is no connection, sent once. Where no answer
 * came, it is looked for among what is there before it is sent again.
 */
export class Outbox {
  outgoing = $state.raw<readonly OutgoingMessage[]>([])
  private connected = false
  private busy = false
  private key = 0
  private timer: ReturnType<typeof setTimeout> | undefined
  private readonly timers = new Set<ReturnType<typeof setTimeout>>()

  constructor(
    private readonly ports: OutboxPorts,
    private readonly ontaken: (message: OutgoingMessage, data: JsonObject) => void = () => undefined,
  ) {}

  get full(): boolean {
    return this.outgoing.length >= MOST_WAITING
  }

  /** @returns false where too much waits already */
  post(command: string, text: string, data: Record<string, unknown>): boolean {
    if (this.full) return false
    const message: OutgoingMessage = {
      key: ++this.key,
      command,
      text,
      data: { ...data, text },
      before: this.ports.known(),
      state: 'waiting',
      id: null,
      refusal: null,
      unsure: false,
    }
    this.outgoing = [...this.outgoing, message]
    void this.pump()
    return true
  }

  /** A refused one once more. */
  again(key: number): void {
    this.change(key, { state: 'waiting', refusal: null })
    void this.pump()
  }

  drop(key: number): void {
    this.outgoing = this.outgoing.filter((message) => message.key !== key)
  }

  /** @param fresh a snapshot has just come */
  connection(connected: boolean, fresh = false): void {
    this.connected = connected
    clearTimeout(this.timer)
    if (connected) this.later(fresh ? AFTER_SNAPSHOT_MS : 0)
  }

  /** Call after events: what was sent may have come. */
  look(): void {
    const left = this.outgoing.filter((message) => {
      if (message.state === 'sent') return message.id !== null && !this.ports.shown(message.id)
      return !(message.unsure && message.state === 'waiting' && this.ports.arrived(message) !== null)
    })
    if (left.length < this.outgoing.length) this.outgoing = left
  }

  close(): void {
    clearTimeout(this.timer)
    for (const timer of this.timers) clearTimeout(timer)
    this.connected = false
  }

  private later(wait_ms: number): void {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => void this.pump(), wait_ms)
  }

  private async pump(): Promise<void> {
    if (this.busy) return
    this.busy = true
    try {
      for (;;) {
        this.look()
        const message = this.outgoing.find(({ state }) => state === 'waiting')
        if (!message || !this.connected) return
        this.change(message.key, { state: 'sending' })
        const answer = await this.ports.send(message.command, { ...message.data })
        if (!this.settle(message, answer)) return
      }
    } finally {
      this.busy = false
    }
  }

  /** @returns whether the next may go */
  private settle(message: OutgoingMessage, answer: Answer): boolean {
    const { key } = message
    if (answer.ok) {
      this.taken(message, answer.data)
      return true
    }
    const { code } = answer.error
    // It was there already: this is what the answer that was lost would have said.
    if (code === 'repeated' && message.unsure) {
      this.drop(key)
      return true
    }
    if (code === 'not_connected' || UNSURE.has(code)) {
      this.change(key, { state: 'waiting', unsure: message.unsure || code !== 'not_connected' })
      // Still connected: a busy server. Else the connection tells when it is back.
      if (this.connected) this.later(LOOK_AGAIN_MS)
      return false
    }
    this.change(key, { state: 'refused', refusal: refusalOf(answer, this.ports.now()) })
    return true
  }

  private taken(message: OutgoingMessage, data: JsonObject): void {
    const id = typeof data['id'] === 'string' ? data['id'] : null
    this.ontaken(message, data)
    if (id === null || this.ports.shown(id)) return this.drop(message.key)
    this.change(message.key, { state: 'sent', id })
    const timer = setTimeout(() => {
      this.timers.delete(timer)
      this.drop(message.key)
    }, SHOWN_WITHIN_MS)
    this.timers.add(timer)
  }

  private change(key: number, fields: Partial<OutgoingMessage>): void {
    this.outgoing = this.outgoing.map((message) => (message.key === key ? { ...message, ...fields } : message))
  }
}
