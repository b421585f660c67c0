/** One connection to an audience, however many parts of a page listen to it and speak through it. */
import { linkQuery } from '$lib/api'
import type { JsonObject } from '$lib/api/types'
import { readRecord, readTextOrNull } from '$lib/api/read'
import { remembered } from './myself'
import { type Answer, BROWSER_PORTS, type LiveAuth, type LiveEvent, type LiveHandlers, LiveSocket } from './socket'
import type { LivePorts, LiveState, SendOptions } from './socket'

/** Events that are kept for parts of the page that come later. */
export const MOST_KEPT = 500

export interface Link {
  readonly state: LiveState
  /** The participant's token, where the browser takes no cookie of ours. */
  readonly participant: string | null
  send(command: string, data: Record<string, unknown>, options?: SendOptions): Promise<Answer>
  /** Told at the next connection. */
  update(auth: Pick<LiveAuth, 'name' | 'place'>): void
  leave(): void
}

const open = new Map<string, SharedLive>()

/** @param auth of the first to come counts */
export function join(auth: LiveAuth, handlers: LiveHandlers, ports: LivePorts = BROWSER_PORTS): Link {
  const key = auth.session === undefined ? `room ${auth.room}` : `session ${auth.session}`
  let live = open.get(key)
  if (!live) {
    live = new SharedLive({ ...remembered(), ...(auth.session === undefined ? {} : linkQuery()), ...auth }, ports, () =>
      open.delete(key),
    )
    open.set(key, live)
  }
  return live.join(handlers)
}

class SharedLive {
  private readonly members = new Set<LiveHandlers>()
  private readonly socket: LiveSocket
  private snapshot: JsonObject | null = null
  /** Events after the snapshot; null where they were too many to keep. */
  private later: LiveEvent[] | null = []
  private participant: string | null = null

  constructor(
    auth: LiveAuth,
    ports: LivePorts,
    private readonly onempty: () => void,
  ) {
    this.socket = new LiveSocket(
      'audience',
      auth,
      {
        onsnapshot: (data, reset) => this.told(data, reset),
        onevents: (events) => this.happened(events),
        onstate: (state, error) => this.each((member) => member.onstate?.(state, error)),
      },
      ports,
    )
  }

  join(handlers: LiveHandlers): Link {
    if (this.members.size === 0) this.start()
    this.members.add(handlers)
    handlers.onstate?.(this.socket.state, null)
    if (this.snapshot && this.later) {
      handlers.onsnapshot?.(this.snapshot, false)
      if (this.later.length > 0) handlers.onevents?.(this.later)
    } else if (this.snapshot) this.socket.renew()
    const { socket } = this
    const participant = () => this.participant
    return {
      get state() {
        return socket.state
      },
      get participant() {
        return participant()
      },
      send: (command, data, options) => socket.send(command, data, options),
      update: (auth) => socket.update(auth),
      leave: () => this.leave(handlers),
    }
  }

  private leave(handlers: LiveHandlers): void {
    if (!this.members.delete(handlers) || this.members.size > 0) return
    this.onempty()
    if (typeof window !== 'undefined') {
      window.removeEventListener('online', this.awake)
      document.removeEventListener('visibilitychange', this.awake)
    }
    this.socket.close()
  }

  private start(): void {
    if (typeof window !== 'undefined') {
      window.addEventListener('online', this.awake)
      document.addEventListener('visibilitychange', this.awake)
    }
    this.socket.start()
  }

  private readonly awake = (): void => {
    if (!document.hidden) this.socket.poke()
  }

  private told(data: JsonObject, reset: boolean): void {
    const key = readTextOrNull(readRecord(data['you'])['key'])
    if (key !== null) {
      this.participant = key
      this.socket.update({ participant: key })
    }
    if (data['resumed'] !== true || this.snapshot === null) {
      this.snapshot = data
      this.later = []
    }
    this.each((member) => member.onsnapshot?.(data, reset))
  }

  private happened(events: readonly LiveEvent[]): void {
    if (this.later) {
      this.later.push(...events)
      if (this.later.length > MOST_KEPT) this.later = null
    }
    this.each((member) => member.onevents?.(events))
  }

  private each(tell: (member: LiveHandlers) => void): void {
    for (const member of [...this.members]) tell(member)
  }
}
