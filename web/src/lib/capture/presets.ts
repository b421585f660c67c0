/** Settings of cameras, microphones and encoders. Pure. */

import type { EncoderOptions } from '$lib/whip/client'

export type SoundPreset = 'speech' | 'music'
export type PictureSize = '1080p' | '720p'

export const FRAME_RATE = 30

export const PICTURES: Readonly<
  Record<PictureSize, { width: number; height: number; maxBitrate: number; needed: number }>
> = {
  // `needed`: below it, text in slides is no longer clean at this size.
  '1080p': { width: 1920, height: 1080, maxBitrate: 4_500_000, needed: 2_000_000 },
  '720p': { width: 1280, height: 720, maxBitrate: 2_500_000, needed: 1_000_000 },
}

const SOUND: Readonly<Record<SoundPreset, { stereo: boolean; bitrate: number; processing: boolean }>> = {
  // One microphone in a hall: the browser's echo, noise and gain control make it intelligible.
  speech: { stereo: false, bitrate: 64_000, processing: true },
  // A mixing desk or instruments: every one of those would tear holes into it.
  music: { stereo: true, bitrate: 160_000, processing: false },
}

export function encoderOptions(picture: PictureSize, sound: SoundPreset): EncoderOptions {
  const size = PICTURES[picture]
  const { stereo, bitrate } = SOUND[sound]
  return {
    video: {
      maxBitrate: size.maxBitrate,
      startBitrate: Math.round(size.maxBitrate * 0.6),
      maxFramerate: FRAME_RATE,
      // Viewers read slides: rather fewer pictures than blurred ones, and no change of size in mid-broadcast.
      degradation: 'maintain-resolution',
    },
    audio: { stereo, maxAverageBitrate: bitrate },
  }
}

export function cameraConstraints(deviceId: string, picture: PictureSize, facing: Facing = ''): MediaTrackConstraints {
  const { width, height } = PICTURES[picture]
  return {
    ...(deviceId ? { deviceId: { exact: deviceId } } : facing ? { facingMode: { ideal: facing } } : {}),
    width: { ideal: width },
    height: { ideal: height },
    frameRate: { ideal: FRAME_RATE, max: 60 },
  }
}

/** Which of a phone's cameras; '' where a device was chosen by its id. */
export type Facing = '' | 'user' | 'environment'

export function microphoneConstraints(deviceId: string, preset: SoundPreset): MediaTrackConstraints {
  const { stereo, processing } = SOUND[preset]
  return {
    ...(deviceId ? { deviceId: { exact: deviceId } } : {}),
    echoCancellation: processing,
    noiseSuppression: processing,
    autoGainControl: processing,
    channelCount: { ideal: stereo ? 2 : 1 },
    sampleRate: { ideal: 48_000 },
  }
}

/** `getDisplayMedia` options; the newer ones are hints that engines without them ignore. */
export function screenOptions(): DisplayMediaStreamOptions {
  const options: DisplayMediaStreamOptions & Record<string, unknown> = {
    video: { width: { max: 1920 }, height: { max: 1080 }, frameRate: { ideal: FRAME_RATE, max: FRAME_RATE } },
    audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
    // A technician who shares this very page broadcasts a hall of mirrors.
    selfBrowserSurface: 'exclude',
    surfaceSwitching: 'include',
    systemAudio: 'include',
    monitorTypeSurfaces: 'include',
  }
  return options
}

/** The encoder's preference: sharp text or smooth movement. */
export function contentHint(scene: string, hasSlides: boolean): 'detail' | 'motion' {
  return hasSlides && scene !== 'camera' ? 'detail' : 'motion'
}
