/** The sound of one room at a time, over WHEP without pictures: what goes out, or a source as it comes in. */

import { WhepClient, type WhepPeer, type WhepPorts } from '$features/player/protocol/whep'

/** `source` null: what goes out. */
export interface Heard {
  room: string
  source: string | null
}

export type ListenState =
  | 'off'
  | 'connecting'
  | 'playing'
  /** The browser wants a press before it lets the page be heard. */
  | 'blocked'
  /** There is nothing to hear: the room is off, or the source has gone. */
  | 'nothing'
  | 'failed'

export interface ListenPorts extends WhepPorts {
  /** A peer that receives sound alone, and what it receives. */
  peer: () => WhepPeer & { stream: MediaStream }
  /** Plays a stream, null stops. Rejects where the browser wants a press first. */
  play: (stream: MediaStream | null) => Promise<void>
}

const AGAIN_MS = 2_000

export const listenPath = ({ room, source }: Heard): string =>
  `/whep/${encodeURIComponent(room)}${source === null ? '' : `/${encodeURIComponent(source)}`}`

export class Listening {
  heard = $state.raw<Heard | null>(null)
  state = $state<ListenState>('off')
  private client: WhepClient | null = null
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor(private readonly ports: ListenPorts) {}

  isHeard({ room, source }: Heard): boolean {
    return this.heard?.room === room && this.heard.source === source
  }

  /** The same again is silence. Another one ends what is heard: one at a time, and never the other side by itself. */
  toggle(what: Heard): void {
    if (this.isHeard(what) && this.state !== 'blocked') return this.stop()
    this.stop()
    this.heard = what
    this.begin(what)
  }

  stop(): void {
    clearTimeout(this.timer)
    this.client?.close()
    this.client = null
    this.heard = null
    this.state = 'off'
    void this.ports.play(null)
  }

  private begin(what: Heard): void {
    this.state = 'connecting'
    const peer = this.ports.peer()
    const client = new WhepClient(listenPath(what), peer, this.ports, (state, failure) => {
      if (this.client !== client) return
      if (state === 'playing' && this.state === 'connecting') this.state = 'playing'
      if (state !== 'failed') return
      this.state = failure?.reason === 'off' ? 'nothing' : 'failed'
      this.timer = setTimeout(() => this.begin(what), AGAIN_MS)
    })
    this.client = client
    void client.start()
    this.ports.play(peer.stream).catch(() => {
      if (this.client === client) this.state = 'blocked'
    })
  }
}
