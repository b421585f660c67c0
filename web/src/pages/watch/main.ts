import { mount } from 'svelte'
import '$lib/styles/base.css'
import { readConfig } from '$lib/config'
import { type Mode, Player } from '$features/player/player.svelte'
import Watch from './Watch.svelte'

const config = readConfig()
const asked = new URLSearchParams(location.search)
const mode: Mode = asked.get('latency') === 'lowest' ? 'lowest' : asked.has('poor') ? 'poor' : 'standard'
const room = config.room?.id ?? decodeURIComponent(location.pathname.split('/')[2] ?? '')

const player = new Player({ room, mode, whep: config.whep, iceServers: config.iceServers, autoplay: true })
mount(Watch, { target: document.getElementById('app') ?? document.body, props: { player, room: config.room } })
