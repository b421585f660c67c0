import type { Schema } from '$lib/api/types'

export type Report = Schema['PlaybackReport']
export type PlaybackError = NonNullable<Report['ec']>[number]

/** Of a player that is to play what is live. */
export interface BeaconSample {
  now_ms: number
  state: 'playing' | 'stalled' | 'failing' | 'other'
  error: PlaybackError | null
  /** Media ahead. */
  buffer_ms: number | null
  bitrate_kbps: number | null
  throughput_kbps: number | null
  rate: number
  webrtc: boolean
}

/** The server counts by half minutes: each player says so often that it plays, and at most so often what is wrong. */
export const EVERY_MS = 30_000
/** A trouble is told at once, but not by all players in the same moment. */
const SPREAD_MS = 2_000

/**
 * Decides when a player tells how it does, and what: keys of CMCD (CTA-5004), without any that would tell who it is.
 * Sampled once or twice a second; pure but for its memory.
 */
export class PlaybackBeacon {
  /** The next report that comes by time; null while nothing plays. */
  private next_ms: number | null = null
  private before: BeaconSample['state'] = 'other'
  private starved = false
  private readonly errors = new Set<PlaybackError>()
  /** When a trouble may be told again. */
  private again_ms = -Infinity
  private due_ms = Infinity
  /** When the oldest trouble that is still to be told, or was told last, was seen. */
  private noted_ms = -Infinity
  private quietUntil_ms = -Infinity

  /** @param random from 0 to 1: players that begin together do not tell together */
  constructor(private readonly random: () => number) {}

  /** The server is asked too much: nothing is told until then. */
  refused(now_ms: number, wait_ms: number): void {
    this.quietUntil_ms = now_ms + Math.max(wait_ms, EVERY_MS)
  }

  /** No answer came: the network is away, or the server begins anew. A trouble of this half minute is told again. */
  lost(now_ms: number, { bs, ec }: Report): void {
    if (now_ms - this.noted_ms > EVERY_MS) return
    this.starved ||= bs === true
    for (const error of ec ?? []) this.errors.add(error)
    if (!this.starved && this.errors.size === 0) return
    this.again_ms = -Infinity
    this.due_ms = now_ms + SPREAD_MS + SPREAD_MS * this.random()
  }

  /** Nothing live is to be played: paused, off, a recording. */
  rest(): void {
    this.next_ms = null
    this.before = 'other'
    this.due_ms = Infinity
    this.starved = false
    this.errors.clear()
  }

  /** @returns what to tell now, or null */
  sample(sample: BeaconSample): Report | null {
    const { now_ms, state, error } = sample
    // Before the first picture there was no buffer to run empty.
    if (state === 'stalled' && this.before === 'playing') this.note(now_ms, () => (this.starved = true))
    if (error !== null) this.note(now_ms, () => this.errors.add(error))
    if (state !== 'other') this.before = state
    if (state === 'playing') this.next_ms ??= now_ms + EVERY_MS * this.random()
    const trouble = now_ms >= Math.max(this.due_ms, this.again_ms)
    const time = this.next_ms !== null && now_ms >= this.next_ms
    if (time) this.next_ms = now_ms + EVERY_MS
    if (now_ms < this.quietUntil_ms || !(trouble || time)) return null
    return this.report(sample, trouble, time)
  }

  private note(now_ms: number, keep: () => void): void {
    keep()
    if (this.due_ms !== Infinity) return
    this.noted_ms = now_ms
    this.due_ms = now_ms + SPREAD_MS * this.random()
  }

  private report(sample: BeaconSample, trouble: boolean, time: boolean): Report {
    const { now_ms, state } = sample
    const report: Report = {
      v: 2,
      e: time ? 't' : this.errors.size > 0 ? 'e' : 'ps',
      sta: state === 'playing' ? 'p' : state === 'failing' ? 'f' : 'r',
      bs: trouble && this.starved,
      ec: trouble ? [...this.errors] : [],
      // CMCD rounds, so that no value is a name.
      bl: rounded(sample.buffer_ms, 100),
      br: rounded(sample.bitrate_kbps, 1),
      mtp: rounded(sample.throughput_kbps, 100),
      pr: sample.rate,
      sf: sample.webrtc ? 'o' : 'h',
      st: 'l',
    }
    if (trouble) {
      this.starved = false
      this.errors.clear()
      this.due_ms = Infinity
      this.again_ms = now_ms + EVERY_MS
    }
    return report
  }
}

function rounded(value: number | null, step: number): number | null {
  if (value === null || !Number.isFinite(value) || value < 0) return null
  return Math.min(Math.round(value / step) * step, 1_000_000)
}
