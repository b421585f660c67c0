import { mount } from 'svelte'
import '$lib/styles/base.css'
import { getJson, localPath } from '$lib/api'
import { readConfig } from '$lib/config'
import { pageClock } from '$lib/page-clock.svelte'
import { isRunning, readSession } from '$lib/protocol/day'
import { Player } from '$features/player/player-state.svelte'
import Embed from './Embed.svelte'

const config = readConfig()
const asked = new URLSearchParams(location.search)
const room = config.room?.id ?? decodeURIComponent(location.pathname.split('/')[2] ?? '')

pageClock.venue = config.room?.timezone ?? undefined

const player = new Player({
  room,
  mode: asked.get('latency') === 'lowest' ? 'lowest' : 'standard',
  whep: config.whep,
  iceServers: config.iceServers,
  autoplay: asked.get('autoplay') !== '0',
})
const session = asked.get('session')
if (session !== null) {
  // A page about a session shows its replay, once there is one.
  void getJson(`/sessions/${encodeURIComponent(session)}`)
    .then(readSession, () => null)
    .then((told) => {
      if (told?.replayUrl && !isRunning(told))
        player.watchReplay({ address: localPath(told.replayUrl), growing: false })
    })
}
const page = session === null ? `/watch/${encodeURIComponent(room)}` : `/session/${encodeURIComponent(session)}`
mount(Embed, {
  target: document.getElementById('app') ?? document.body,
  props: {
    player,
    room: config.room,
    address: new URL(page, config.publicUrl || location.origin).href,
  },
})
