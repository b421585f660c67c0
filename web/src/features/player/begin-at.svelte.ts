import { untrack } from 'svelte'
import { localPath } from '$lib/api'
import { isRunning } from '$lib/protocol/day'
import { readOffset } from '$lib/protocol/offset'
import type { Player } from './player-state.svelte'

/**
 * A room's player begins at a place of the session that is on air: in its growing replay, or in the window of the broadcast.
 *
 * @param place as the address tells it
 */
export function beginAt(player: Player, place: string): void {
  const offset_s = readOffset(place)
  if (offset_s === null) return
  let begun = false
  const stop = $effect.root(() => {
    $effect(() => {
      if (begun) return
      const { status, timeline } = player
      const session = status?.session
      if (!status || status.state === 'off') return
      if (!session || !isRunning(session) || session.started_ms === null) return begin()
      const { replayUrl, started_ms } = session
      if (replayUrl) {
        begin(() => player.watchReplay({ address: localPath(replayUrl), growing: true }, offset_s))
      } else if (timeline) {
        begin(() => void player.seek(started_ms + offset_s * 1000))
      }
    })
  })
  /** The player reads and writes its own state then: nothing of it may run the effect again. */
  function begin(how?: () => void) {
    begun = true
    if (how) untrack(how)
    // An effect cannot end its own root while it runs.
    queueMicrotask(stop)
  }
}
