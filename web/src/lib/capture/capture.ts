/** Camera, microphone and screen as the browser gives them: opened, watched, closed. The edge; no decisions here. */

import { deviceLists, type DeviceLists } from './devices'
import {
  cameraConstraints,
  microphoneConstraints,
  screenOptions,
  type Facing,
  type PictureSize,
  type SoundPreset,
} from './presets'

export type CaptureKind = 'camera' | 'microphone' | 'screen' | 'ambient'

export interface Opened {
  stream: MediaStream
  video: MediaStreamTrack | null
  audio: MediaStreamTrack | null
}

export interface CaptureEvents {
  /** The device went away, or the person stopped sharing: not called for what `close` ended. */
  onEnded: (kind: CaptureKind) => void
  /** The system or another program silences a track that still exists (a laptop's privacy key). */
  onMuted: (kind: CaptureKind, muted: boolean) => void
}

export class Capture {
  private readonly open = new Map<CaptureKind, MediaStream>()

  constructor(private readonly events: CaptureEvents) {}

  async camera(deviceId: string, picture: PictureSize, facing: Facing): Promise<Opened> {
    return this.keep('camera', () =>
      navigator.mediaDevices.getUserMedia({ video: cameraConstraints(deviceId, picture, facing) }),
    )
  }

  /** @param kind `ambient`: the room's, which is listened to for comparison */
  async microphone(
    deviceId: string,
    preset: SoundPreset,
    kind: 'microphone' | 'ambient' = 'microphone',
  ): Promise<Opened> {
    return this.keep(kind, () =>
      navigator.mediaDevices.getUserMedia({ audio: microphoneConstraints(deviceId, preset) }),
    )
  }

  /** Needs a gesture; the browser's own picker asks what to share. */
  async screen(): Promise<Opened> {
    return this.keep('screen', () => navigator.mediaDevices.getDisplayMedia(screenOptions()))
  }

  async devices(): Promise<DeviceLists> {
    return deviceLists(await navigator.mediaDevices.enumerateDevices())
  }

  close(kind: CaptureKind): void {
    const stream = this.open.get(kind)
    this.open.delete(kind)
    stream?.getTracks().forEach((track) => {
      track.onended = track.onmute = track.onunmute = null
      track.stop()
    })
  }

  closeAll(): void {
    for (const kind of [...this.open.keys()]) this.close(kind)
  }

  private async keep(kind: CaptureKind, ask: () => Promise<MediaStream>): Promise<Opened> {
    let stream: MediaStream
    const held = this.open.has(kind) && kind !== 'screen'
    try {
      stream = await ask()
    } catch (error) {
      // Phones open one camera at a time: give the old one back and ask once more.
      if (!held || !(error instanceof DOMException) || error.name !== 'NotReadableError') throw error
      this.close(kind)
      stream = await ask()
    }
    this.close(kind)
    this.open.set(kind, stream)
    const video = stream.getVideoTracks()[0] ?? null
    const audio = stream.getAudioTracks()[0] ?? null
    const main = video ?? audio
    if (main) {
      main.onended = () => {
        if (this.open.get(kind) !== stream) return
        this.close(kind)
        this.events.onEnded(kind)
      }
      main.onmute = () => this.events.onMuted(kind, true)
      main.onunmute = () => this.events.onMuted(kind, false)
    }
    return { stream, video, audio }
  }
}
