import { localPath } from '$lib/api'
import { isRunning } from '$lib/protocol/day'
import { readOffset } from '$lib/protocol/offset'
import type { Player } from './player.svelte'

/**
 * A room's player begins at a place of the session that is on air: in its growing replay, or in the window of the broadcast.
 *
 * @param place as the address tells it
 */
export function beginAt(player: Player, place: string): void {
  const offset_s = readOffset(place)
  if (offset_s === null) return
  const stop = $effect.root(() => {
    $effect(() => {
      const { status, timeline } = player
      const session = status?.session
      if (!status || status.state === 'off') return
      if (!session || !isRunning(session) || session.started_ms === null) return done()
      if (session.replayUrl) {
        player.watchReplay({ address: localPath(session.replayUrl), growing: true }, offset_s)
        done()
      } else if (timeline) {
        void player.seek(session.started_ms + offset_s * 1000)
        done()
      }
    })
  })
  // An effect cannot end its own root while it runs.
  const done = () => queueMicrotask(stop)
}
