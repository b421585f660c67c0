/**
 * The composed picture as one `MediaStreamTrack` that lives as long as the page: scenes and sources change in it, the
 * encoder and the connection never notice. Three engines behind one face, the best that the browser has.
 */

import { compose, type Layout, type Size, type SourceName } from './geometry'
import { insertable } from './insertable'
import { isDark, paint } from './paint'
import type { ClockMessage, FromWorker, Placeholder, ToWorker } from './protocol'

export interface CompositorOptions {
  size: Size
  rate: number
  layout: Layout
  placeholder: Placeholder
  onSize: (name: SourceName, size: Size | null) => void
  /** About once a second; `skipped` counts since the start. */
  onStats: (stats: { made: number; skipped: number; dark: boolean }) => void
}

export interface Compositor {
  readonly engine: 'page-streams' | 'worker-tracks' | 'canvas'
  readonly track: MediaStreamTrack
  attach(name: SourceName, track: MediaStreamTrack | null): void
  arrange(layout: Layout): void
  stop(): void
}

const READY_TIMEOUT_MS = 3000

/** Rejects only where the browser can do none of the three. */
export async function createCompositor(options: CompositorOptions): Promise<Compositor> {
  const { MediaStreamTrackGenerator, MediaStreamTrackProcessor } = insertable()
  if (MediaStreamTrackGenerator && MediaStreamTrackProcessor) {
    try {
      return await StreamCompositor.create(options)
    } catch {
      // Streams that cannot be transferred: the next engine.
    }
  }
  try {
    return await TrackCompositor.create(options)
  } catch {
    return new CanvasCompositor(options)
  }
}

function openWorker(): Worker {
  return new Worker(new URL('./compositor.worker.ts', import.meta.url), { type: 'module', name: 'compositor' })
}

/** Sends the start message and waits for the worker's word. */
function started(worker: Worker, message: ToWorker, transfer: Transferable[]): Promise<MediaStreamTrack | null> {
  return new Promise((resolve, reject) => {
    const limit = setTimeout(() => reject(new Error('the composing worker did not start')), READY_TIMEOUT_MS)
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      if (data.kind === 'ready') {
        clearTimeout(limit)
        resolve(data.track)
      } else if (data.kind === 'failed') {
        clearTimeout(limit)
        reject(new Error(data.message))
      }
    }
    worker.onerror = (event) => {
      clearTimeout(limit)
      reject(new Error(event.message))
    }
    try {
      worker.postMessage(message, transfer)
    } catch (error) {
      clearTimeout(limit)
      reject(error instanceof Error ? error : new Error(String(error)))
    }
  })
}

function listen(worker: Worker, options: CompositorOptions): void {
  worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
    if (data.kind === 'size') options.onSize(data.name, data.size)
    else if (data.kind === 'stats') options.onStats(data)
  }
}

function startMessage(options: CompositorOptions, output: WritableStream<VideoFrame> | null): ToWorker {
  // Layout and placeholder may be reactive proxies, which cannot be cloned.
  return {
    kind: 'start',
    size: { ...options.size },
    rate: options.rate,
    layout: { ...options.layout },
    placeholder: { ...options.placeholder },
    output,
  }
}

abstract class WorkerCompositor implements Compositor {
  abstract readonly engine: Compositor['engine']

  protected constructor(
    protected readonly worker: Worker,
    readonly track: MediaStreamTrack,
    options: CompositorOptions,
  ) {
    listen(worker, options)
  }

  abstract attach(name: SourceName, track: MediaStreamTrack | null): void

  arrange(layout: Layout): void {
    this.send({ kind: 'layout', layout: { ...layout } })
  }

  stop(): void {
    this.send({ kind: 'stop' })
    this.track.stop()
  }

  protected send(message: ToWorker, transfer: Transferable[] = []): void {
    this.worker.postMessage(message, transfer)
  }
}

/** Chromium: the page makes processors and a generator, the worker gets their streams. */
class StreamCompositor extends WorkerCompositor {
  readonly engine = 'page-streams'
  private readonly clones = new Map<SourceName, MediaStreamTrack>()

  static async create(options: CompositorOptions): Promise<StreamCompositor> {
    const { MediaStreamTrackGenerator } = insertable()
    if (!MediaStreamTrackGenerator) throw new Error('no MediaStreamTrackGenerator')
    const worker = openWorker()
    try {
      const generator = new MediaStreamTrackGenerator({ kind: 'video' })
      const { writable } = generator
      await started(worker, startMessage(options, writable), [writable])
      return new StreamCompositor(worker, generator, options)
    } catch (error) {
      worker.terminate()
      throw error
    }
  }

  attach(name: SourceName, track: MediaStreamTrack | null): void {
    // A clone of its own: a track takes one processor at a time, and the page keeps the original for its preview.
    this.clones.get(name)?.stop()
    this.clones.delete(name)
    const { MediaStreamTrackProcessor } = insertable()
    if (!track || !MediaStreamTrackProcessor) {
      this.send({ kind: 'source', name, frames: null, track: null })
      return
    }
    const clone = track.clone()
    this.clones.set(name, clone)
    const frames = new MediaStreamTrackProcessor({ track: clone, maxBufferSize: 2 }).readable
    this.send({ kind: 'source', name, frames, track: null }, [frames])
  }

  override stop(): void {
    for (const clone of this.clones.values()) clone.stop()
    this.clones.clear()
    super.stop()
  }
}

/** Safari: tracks travel into the worker, and the worker's generated track comes out. */
class TrackCompositor extends WorkerCompositor {
  readonly engine = 'worker-tracks'

  static async create(options: CompositorOptions): Promise<TrackCompositor> {
    const worker = openWorker()
    try {
      const track = await started(worker, startMessage(options, null), [])
      if (!track) throw new Error('the worker made no track')
      return new TrackCompositor(worker, track, options)
    } catch (error) {
      worker.terminate()
      throw error
    }
  }

  attach(name: SourceName, track: MediaStreamTrack | null): void {
    const clone = track?.clone() ?? null
    this.send({ kind: 'source', name, frames: null, track: clone }, clone ? [clone as unknown as Transferable] : [])
  }
}

/** Firefox: the page draws video elements on a canvas, woken by a worker's clock. */
class CanvasCompositor implements Compositor {
  readonly engine = 'canvas'
  readonly track: MediaStreamTrack
  private readonly canvas = document.createElement('canvas')
  private readonly context: CanvasRenderingContext2D
  private readonly probe: CanvasRenderingContext2D | null
  private readonly videos = new Map<SourceName, HTMLVideoElement>()
  private readonly sizes: Partial<Record<SourceName, Size>> = {}
  private readonly clock: Worker
  private layout: Layout
  private made = 0
  private reportedAt = 0

  constructor(private readonly options: CompositorOptions) {
    this.layout = { ...options.layout }
    this.canvas.width = options.size.width
    this.canvas.height = options.size.height
    const context = this.canvas.getContext('2d', { alpha: false })
    if (!context || typeof this.canvas.captureStream !== 'function') throw new Error('no canvas capture')
    this.context = context
    const probe = document.createElement('canvas')
    probe.width = probe.height = 4
    this.probe = probe.getContext('2d', { willReadFrequently: true })
    const [track] = this.canvas.captureStream(options.rate).getVideoTracks()
    if (!track) throw new Error('no canvas capture')
    this.track = track
    this.clock = new Worker(new URL('./clock.worker.ts', import.meta.url), { type: 'module', name: 'frame-clock' })
    this.clock.onmessage = () => this.draw()
    this.clock.postMessage({ rate: options.rate } satisfies ClockMessage)
  }

  attach(name: SourceName, track: MediaStreamTrack | null): void {
    const before = this.videos.get(name)
    if (before) before.srcObject = null
    this.videos.delete(name)
    if (track) {
      const video = document.createElement('video')
      video.muted = true
      video.playsInline = true
      video.srcObject = new MediaStream([track])
      void video.play().catch(() => undefined)
      this.videos.set(name, video)
    }
    this.measure()
  }

  arrange(layout: Layout): void {
    this.layout = { ...layout }
  }

  stop(): void {
    this.clock.terminate()
    this.attach('camera', null)
    this.attach('slides', null)
    this.track.stop()
  }

  private measure(): void {
    for (const name of ['camera', 'slides'] as const) {
      const video = this.videos.get(name)
      const size = video && video.videoWidth > 0 ? { width: video.videoWidth, height: video.videoHeight } : null
      const before = this.sizes[name]
      if (size?.width === before?.width && size?.height === before?.height) continue
      if (size) this.sizes[name] = size
      else delete this.sizes[name]
      this.options.onSize(name, size)
    }
  }

  private draw(): void {
    this.measure()
    const { size, placeholder } = this.options
    const camera = this.videos.get('camera')
    const slides = this.videos.get('slides')
    const layers = compose(this.layout, size, this.sizes)
    paint(this.context, size, layers, { ...(camera ? { camera } : {}), ...(slides ? { slides } : {}) }, placeholder)
    this.made++
    const now = performance.now()
    if (now - this.reportedAt < 1000) return
    this.reportedAt = now
    this.options.onStats({ made: this.made, skipped: 0, dark: this.isDark() })
  }

  private isDark(): boolean {
    const video = this.videos.get(this.layout.scene === 'slides' ? 'slides' : 'camera')
    if (!video || video.videoWidth === 0 || !this.probe) return false
    this.probe.drawImage(video, 0, 0, 4, 4)
    return isDark(this.probe.getImageData(0, 0, 4, 4).data)
  }
}
