/**
 * MediaStreamTrack Insertable Media Processing, as engines have it: Chromium offers a processor and a generator to the
 * page, whose streams can be given to a worker; Safari both inside the worker, to which the track itself is given.
 */

export interface FrameProcessor {
  readonly readable: ReadableStream<VideoFrame>
}

export interface TrackGenerator {
  readonly writable: WritableStream<VideoFrame>
  readonly track: MediaStreamTrack
}

interface PageGenerator extends MediaStreamTrack {
  readonly writable: WritableStream<VideoFrame>
}

interface Insertable {
  MediaStreamTrackProcessor?: new (init: { track: MediaStreamTrack; maxBufferSize?: number }) => FrameProcessor
  MediaStreamTrackGenerator?: new (init: { kind: 'video' }) => PageGenerator
}

export function insertable(): Insertable {
  return globalThis as unknown as Insertable
}
