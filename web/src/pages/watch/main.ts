import '$lib/styles/base.css'
import { readConfig } from '$lib/config'
import { enterByLink } from '$lib/link-token'
import { openPage } from '$lib/open-page'
import { type Mode, Player } from '$features/player/player-state.svelte'
import { pageClock } from '$lib/page-clock.svelte'
import Watch from './Watch.svelte'

const config = readConfig()
const asked = new URLSearchParams(location.search)
const mode: Mode = asked.get('latency') === 'lowest' ? 'lowest' : asked.has('poor') ? 'poor' : 'standard'
const room = config.room?.id ?? decodeURIComponent(location.pathname.split('/')[2] ?? '')

void enterByLink().then(() => {
  pageClock.venue = config.room?.timezone ?? undefined

  const player = new Player({ room, mode, whep: config.whep, iceServers: config.iceServers, autoplay: true })
  const place = asked.get('t')
  if (place !== null) void import('$features/player/begin-at.svelte').then(({ beginAt }) => beginAt(player, place))
  // The picture of the text stays until the video has one.
  const poster = document.querySelector('.first img')?.getAttribute('src') ?? null
  openPage(Watch, { player, room: config.room, now: config.now ?? null, poster })
})
