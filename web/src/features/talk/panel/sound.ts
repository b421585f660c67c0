/** The viewer's choice about the sound, as the player knows it. */
export interface Audible {
  muted: boolean
  /** 0 to 1. */
  volume: number
  playing: boolean
}

const AUDIBLE = 0.05

/** Why the viewer hears nothing, where it is their own player; null: it is not. */
export function causeOf({ muted, volume, playing }: Audible): 'paused' | 'muted' | 'low' | null {
  if (!playing) return 'paused'
  if (muted) return 'muted'
  return volume < AUDIBLE ? 'low' : null
}
