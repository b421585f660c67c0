import type { Output } from './output'
import type { Mode } from './runner.svelte'

export interface PlayerOptions {
  room: string
  mode: Mode
  whep: boolean
  iceServers: RTCIceServer[]
  autoplay: boolean
  /** Where it is not the room's public one: a closed session's. */
  output?: Output
  /** Whether the player asks for the room's state itself; else whoever made it tells (`tell`). */
  follow?: boolean
}
