/**
 * The composing worker: frames of camera and slides in, one constant stream of pictures out. A worker, since the timers
 * and frame callbacks of a hidden tab sleep, and a technician does look at the slides in another tab.
 */

import { compose, type Layout, type Size, type SourceName } from './geometry'
import { FrameGrid } from './pace'
import { isDark, paint } from './paint'
import type { FromWorker, Placeholder, ToWorker } from './protocol'
import type { FrameProcessor, TrackGenerator } from './insertable'

/** The worker's global scope as far as it is used: the DOM's and the workers' type libraries exclude each other. */
interface Scope {
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null
  postMessage(message: FromWorker, transfer?: Transferable[]): void
  close(): void
  VideoTrackGenerator?: new () => TrackGenerator
  MediaStreamTrackProcessor?: new (init: { track: MediaStreamTrack; maxBufferSize?: number }) => FrameProcessor
}

const scope = globalThis as unknown as Scope

/** Frames that the encoder has not taken yet; past it pictures are skipped, so that delay cannot build up. */
const MOST_UNDER_WAY = 3
const STATS_EVERY_MS = 1000

class Source {
  private frame: VideoFrame | null = null
  private reader: ReadableStreamDefaultReader<VideoFrame> | null = null
  private size: Size | null = null
  /** A picture (or its end) came since this was last set to false. */
  fresh = true

  constructor(private readonly name: SourceName) {}

  get picture(): VideoFrame | null {
    return this.frame
  }

  get pictureSize(): Size | undefined {
    return this.size ?? undefined
  }

  attach(frames: ReadableStream<VideoFrame> | null): void {
    void this.reader?.cancel().catch(() => undefined)
    this.reader = null
    // The old picture stays until the new source's first one comes: changing a camera makes no hole.
    if (frames === null) {
      this.keep(null)
      return
    }
    this.reader = frames.getReader()
    void this.read(this.reader)
  }

  private async read(reader: ReadableStreamDefaultReader<VideoFrame>): Promise<void> {
    try {
      for (;;) {
        const { done, value } = await reader.read()
        if (reader !== this.reader) {
          value?.close()
          return
        }
        if (done) break
        this.keep(value)
      }
    } catch {
      // A track that was stopped: the page says what comes instead.
    }
    if (reader === this.reader) this.keep(null)
  }

  private keep(frame: VideoFrame | null): void {
    // Capture buffers are few: a frame that is not closed at once stops a camera after a dozen.
    this.frame?.close()
    this.frame = frame
    this.fresh = true
    const size = frame ? { width: frame.displayWidth, height: frame.displayHeight } : null
    if (size?.width !== this.size?.width || size?.height !== this.size?.height) {
      this.size = size
      post({ kind: 'size', name: this.name, size })
    }
  }
}

class Compositor {
  private readonly canvas: OffscreenCanvas
  private readonly context: OffscreenCanvasRenderingContext2D
  private readonly probe: OffscreenCanvasRenderingContext2D | null
  private readonly grid: FrameGrid
  private readonly writer: WritableStreamDefaultWriter<VideoFrame>
  private readonly sources = { camera: new Source('camera'), slides: new Source('slides') }
  private timer: ReturnType<typeof setTimeout> | undefined
  private underWay = 0
  /** The canvas does not show what it should; sources say the same of themselves. */
  private changed = true
  private made = 0
  private held = 0
  private reportedAt = 0

  constructor(
    private readonly size: Size,
    rate: number,
    private layout: Layout,
    private readonly placeholder: Placeholder,
    output: WritableStream<VideoFrame>,
  ) {
    this.canvas = new OffscreenCanvas(size.width, size.height)
    const context = this.canvas.getContext('2d', { alpha: false, desynchronized: true })
    if (!context) throw new Error('no 2d context')
    this.context = context
    this.probe = new OffscreenCanvas(4, 4).getContext('2d', { willReadFrequently: true })
    this.grid = new FrameGrid(rate)
    this.writer = output.getWriter()
    this.tick()
  }

  arrange(layout: Layout): void {
    this.layout = layout
    this.changed = true
  }

  attach(name: SourceName, frames: ReadableStream<VideoFrame> | null): void {
    this.sources[name].attach(frames)
  }

  stop(): void {
    clearTimeout(this.timer)
    this.sources.camera.attach(null)
    this.sources.slides.attach(null)
    void this.writer.close().catch(() => undefined)
  }

  private tick(): void {
    const now = performance.now()
    const timestamp = this.grid.due(now)
    if (timestamp !== null) {
      if (this.underWay < MOST_UNDER_WAY) this.make(timestamp)
      else this.held++
      if (now - this.reportedAt >= STATS_EVERY_MS) this.report(now)
    }
    this.timer = setTimeout(() => this.tick(), this.grid.wait(performance.now()))
  }

  /**
   * Always drawn, even where a camera's frame would fit as it is: a frame that is handed on keeps its capture time, and
   * senders drop what does not come later than the frame before, repeated frames and the first ones after a scene change.
   */
  private make(timestamp: number): void {
    const { camera, slides } = this.sources
    if (this.changed || camera.fresh || slides.fresh) {
      this.changed = camera.fresh = slides.fresh = false
      const layers = compose(this.layout, this.size, {
        ...(camera.pictureSize ? { camera: camera.pictureSize } : {}),
        ...(slides.pictureSize ? { slides: slides.pictureSize } : {}),
      })
      const pictures = {
        ...(camera.picture ? { camera: camera.picture } : {}),
        ...(slides.picture ? { slides: slides.picture } : {}),
      }
      paint(this.context, this.size, layers, pictures, this.placeholder)
    }
    const frame = new VideoFrame(this.canvas, { timestamp, alpha: 'discard' })
    this.made++
    this.underWay++
    this.writer
      .write(frame)
      .catch(() => frame.close())
      .finally(() => this.underWay--)
  }

  private report(now: number): void {
    this.reportedAt = now
    post({ kind: 'stats', made: this.made, skipped: this.grid.skipped + this.held, dark: this.isDark() })
  }

  private isDark(): boolean {
    const picture = this.layout.scene === 'slides' ? this.sources.slides.picture : this.sources.camera.picture
    if (!picture || !this.probe) return false
    this.probe.drawImage(picture, 0, 0, 4, 4)
    return isDark(this.probe.getImageData(0, 0, 4, 4).data)
  }
}

let compositor: Compositor | null = null

function post(message: FromWorker, transfer: Transferable[] = []): void {
  scope.postMessage(message, transfer)
}

function start(message: Extract<ToWorker, { kind: 'start' }>): void {
  let output = message.output
  let track: MediaStreamTrack | null = null
  if (!output) {
    if (!scope.VideoTrackGenerator) throw new Error('no VideoTrackGenerator in workers')
    const generator = new scope.VideoTrackGenerator()
    output = generator.writable
    track = generator.track
  }
  compositor = new Compositor(message.size, message.rate, message.layout, message.placeholder, output)
  post({ kind: 'ready', track }, track ? [track as unknown as Transferable] : [])
}

scope.onmessage = ({ data }) => {
  try {
    if (data.kind === 'start') start(data)
    else if (data.kind === 'layout') compositor?.arrange(data.layout)
    else if (data.kind === 'source') {
      const processor = data.track && scope.MediaStreamTrackProcessor
      compositor?.attach(
        data.name,
        processor && data.track ? new processor({ track: data.track, maxBufferSize: 2 }).readable : data.frames,
      )
    } else {
      compositor?.stop()
      scope.close()
    }
  } catch (error) {
    post({ kind: 'failed', message: error instanceof Error ? error.message : String(error) })
  }
}
