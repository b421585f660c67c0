/** One quality of the picture, as the menu shows it. */
export interface Quality {
  /** The engine's own number for it. */
  index: number
  height: number
  bitrate: number
}

/** A moment's view of what plays, in UTC ms where it is about media time. */
export interface Playhead {
  /** Media time that is on screen; null while unknown. */
  at_ms: number | null
  /** The newest media time that may be played, and the oldest that the loaded playlist holds. */
  edge_ms: number | null
  start_ms: number | null
  /** Seconds behind the position that the engine aims at; null where it has no such thing. */
  behind_s: number | null
}

/** Callbacks to the player. Nothing of this is fatal; engines go on by themselves. */
export interface EngineEvents {
  /** The room has no broadcast (404): the engine is idle until it is loaded again. */
  onoff(): void
  /** It tries and fails (true), or is in order again (false). */
  onfailing(failing: boolean): void
  /** Qualities or the current one changed. */
  onqualities(): void
  /** The stream passed a discontinuity: the source changed, ask what is on. */
  ondiscontinuity(): void
}

/** A way of playing the public output in a media element. */
export interface Engine {
  readonly qualities: readonly Quality[]
  /** Index of what plays now, -1 while unknown. */
  readonly current: number
  readonly playhead: Playhead
  /** The playlist has its end: nothing will be added, and it is not asked for again. */
  readonly over: boolean
  /** Measured, bits per second; null where it is not known. */
  readonly throughput: number | null
  /** @param index a quality's, or -1 for automatic */
  choose(index: number): void
  /** To the live position. */
  jump(): void
  /** Where a media time stands in the element's time, seconds: its own place, or the end of what comes before it. */
  positionOf(date_ms: number): number | null
  /** To a media time within the playhead's range; false where it is outside. */
  seek(date_ms: number): boolean
  recover(): void
  reload(): void
  close(): void
}
