/** The one state that the page shows in big letters. Pure. */

import { clientName } from '$lib/client-name'
import type { WhipStatus } from '$lib/whip/client'
import type { RoomInfo } from './room'

export type Tally =
  /** No device is open. */
  | 'standby'
  /** Picture and sound are here, nobody else sees them. */
  | 'preview'
  | 'connecting'
  /** The room has them, but its public output shows something else. */
  | 'sending'
  | 'on_air'
  | 'reconnecting'
  /** It will not go by itself: a person decides. */
  | 'refused'

export interface TallyInputs {
  whip: WhipStatus
  room: RoomInfo | null
  source: string
  previewing: boolean
  nowMs: number
}

/** The time that the room may take from the connection until its first segment is out. */
const STARTING_MS = 6000

export function tally({ whip, room, source, previewing, nowMs }: TallyInputs): Tally {
  switch (whip.state) {
    case 'offering':
    case 'connecting':
      return whip.liveSinceMs === null ? 'connecting' : 'reconnecting'
    case 'reconnecting':
      return whip.liveSinceMs === null ? 'connecting' : 'reconnecting'
    case 'refused':
      return 'refused'
    case 'live': {
      if (room === null) return 'on_air'
      const taken = room.onProgramme === null || room.onProgramme === source
      if (room.state === 'live' && taken && room.sources[source]?.up !== false) return 'on_air'
      return nowMs - (whip.liveSinceMs ?? nowMs) < STARTING_MS ? 'connecting' : 'sending'
    }
    default:
      return previewing ? 'preview' : 'standby'
  }
}

/** The client of a publication on this source that is not ours, or '' while there is none. */
export function otherPublisher(room: RoomInfo | null, source: string, whip: WhipStatus): string {
  const info = room?.sources[source]
  if (!info?.up || ['live', 'connecting', 'offering', 'reconnecting'].includes(whip.state)) return ''
  return clientName(info.client ?? '') || '?'
}

/** `1:02:03`, or `02:03` under an hour. */
export function elapsed(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  const pad = (value: number): string => String(value).padStart(2, '0')
  const rest = `${pad(Math.floor(seconds / 60) % 60)}:${pad(seconds % 60)}`
  return seconds >= 3600 ? `${Math.floor(seconds / 3600)}:${rest}` : rest
}

/**
 * Decides when the server has lost a source that this page believes to feed: seen up once in this connection and down in
 * readings that are at least `graceMs` apart, or never up `startMs` after the connection.
 */
export class SourceWatch {
  private seenUp = false
  private downSinceMs: number | null = null

  constructor(
    private readonly graceMs = 2000,
    private readonly startMs = 8000,
  ) {}

  reset(): void {
    this.seenUp = false
    this.downSinceMs = null
  }

  lost(up: boolean, nowMs: number): boolean {
    if (up) {
      this.seenUp = true
      this.downSinceMs = null
      return false
    }
    this.downSinceMs ??= nowMs
    return nowMs - this.downSinceMs >= (this.seenUp ? this.graceMs : this.startMs)
  }
}

/** Nothing at all from the server for so long, although STUN and RTCP answer each second or so. */
const PEER_SILENT_MS = 4000
/** The same, where the server's own reading agrees. */
const BOTH_SILENT_MS = 2000

/**
 * Decides when nobody is there any more, out of two signs that each deceive alone: what comes back on the connection
 * (a wireless hop can swallow that for a moment) and the server's time of the last packet (its readings can be late).
 */
export class SilenceWatch {
  private lastPacketMs: number | undefined
  private movedAtMs = 0

  reset(nowMs: number): void {
    this.lastPacketMs = undefined
    this.movedAtMs = nowMs
  }

  /** A reading of the server. */
  read(lastPacketMs: number | undefined, nowMs: number): void {
    if (lastPacketMs === this.lastPacketMs) return
    this.lastPacketMs = lastPacketMs
    this.movedAtMs = nowMs
  }

  /** `peerSilentMs`: since anything came back on the connection. */
  gone(peerSilentMs: number, nowMs: number): boolean {
    if (peerSilentMs >= PEER_SILENT_MS) return true
    const stale = this.lastPacketMs !== undefined && nowMs - this.movedAtMs >= BOTH_SILENT_MS
    return stale && peerSilentMs >= BOTH_SILENT_MS
  }
}
