/** Messages between the page and the composing worker. Values and transferables only. */

import type { Layout, Size, SourceName } from './geometry'

export interface Placeholder {
  /** Shown while no source delivers a picture: the room's name. */
  title: string
  subtitle: string
}

export type ToWorker =
  | {
      kind: 'start'
      size: Size
      rate: number
      layout: Layout
      placeholder: Placeholder
      /** Where composed frames go; without it the worker makes a `VideoTrackGenerator` of its own and hands its track back. */
      output: WritableStream<VideoFrame> | null
    }
  | { kind: 'source'; name: SourceName; frames: ReadableStream<VideoFrame> | null; track: MediaStreamTrack | null }
  | { kind: 'layout'; layout: Layout }
  | { kind: 'stop' }

export type FromWorker =
  | { kind: 'ready'; track: MediaStreamTrack | null }
  | { kind: 'failed'; message: string }
  /** A source's size when it comes, changes or goes (null). */
  | { kind: 'size'; name: SourceName; size: Size | null }
  | { kind: 'stats'; made: number; skipped: number; dark: boolean }

/** The other worker: only a clock, for engines where the page itself has to draw. Page timers sleep in hidden tabs. */
export type ClockMessage = { rate: number } | { rate: 0 }
