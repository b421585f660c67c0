// Sets here are values that nobody changes.
/* eslint-disable svelte/prefer-svelte-reactivity */
import { newId } from '$lib/api/client'
import { UNHEARD, type Answer, type SendOptions } from '$lib/live/socket'
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
  /** The command's: sent again with it, it is taken once. */
  readonly once: string
  state: 'waiting' | 'sending' | 'sent' | 'refused'
  /** The item's id, once it is told. */
  id: string | null
  refusal: Refusal | null
}

export interface OutboxPorts {
  send(command: string, data: Record<string, unknown>, options: SendOptions): Promise<Answer>
  now(): number
  /** Ours, as told by the server, is here. */
  shown(id: string): boolean
}

export const MOST_WAITING = 10
/** Before a busy server is asked again. */
const AGAIN_MS = 2_000
/** The event of what was taken comes about with the answer. */
const SHOWN_WITHIN_MS = 4_000

/**
 * Texts that the server has not taken yet, in order: kept while there is no connection. Where no answer came, the text is
 * sent again with the id that it had, and stands there once.
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
      once: newId(),
      state: 'waiting',
      id: null,
      refusal: null,
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

  /** The first one refused is no longer here: it is mended elsewhere. */
  takeRefused(): OutgoingMessage | null {
    const back = this.outgoing.find(({ state }) => state === 'refused')
    if (back) this.drop(back.key)
    return back ?? null
  }

  drop(key: number): void {
    this.outgoing = this.outgoing.filter((message) => message.key !== key)
  }

  connection(connected: boolean): void {
    this.connected = connected
    clearTimeout(this.timer)
    if (connected) void this.pump()
  }

  /** Call after events: what was sent may have come. */
  look(): void {
    const left = this.outgoing.filter(({ state, id }) => state !== 'sent' || (id !== null && !this.ports.shown(id)))
    if (left.length < this.outgoing.length) this.outgoing = left
  }

  close(): void {
    clearTimeout(this.timer)
    for (const timer of this.timers) clearTimeout(timer)
    this.connected = false
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
        const answer = await this.ports.send(message.command, { ...message.data }, { id: message.once, again_ms: 0 })
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
    if (code === 'not_connected' || UNHEARD.has(code)) {
      this.change(key, { state: 'waiting' })
      // Still connected: a busy server. Else the connection tells when it is back.
      clearTimeout(this.timer)
      if (this.connected) this.timer = setTimeout(() => void this.pump(), AGAIN_MS)
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
