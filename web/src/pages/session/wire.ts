import { readTextOrNull, shape } from '$lib/api/read'
import type { Schema } from '$lib/api/types'

/** Addresses of what was recorded; null for what is not there, or not for us. */
export const readRecording = shape<Schema['RecordingView']>()(({ field }) => ({
  replayUrl: field('replay_url', readTextOrNull),
  downloadUrl: field('download_url', readTextOrNull),
}))
