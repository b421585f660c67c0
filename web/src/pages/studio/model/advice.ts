/** Advice that can be followed: a smaller picture where there is one, and when it can be chosen. Pure. */

import type { PictureSize } from '$lib/capture/presets'

/** Where the smaller picture is not the answer, or not now. '' where it is. */
export type Fitting = '' | '.smallest' | '.later'

export function fitting(picture: PictureSize, sending: boolean): Fitting {
  if (picture === '720p') return '.smallest'
  // Another picture size is another canvas: it is chosen off air.
  return sending ? '.later' : ''
}
