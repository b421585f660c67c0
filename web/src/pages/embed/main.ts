import { mount } from 'svelte'
import '$lib/styles/base.css'
import { readConfig } from '$lib/config'
import { Player } from '$features/player/player.svelte'
import Embed from './Embed.svelte'

const config = readConfig()
const asked = new URLSearchParams(location.search)
const room = config.room?.id ?? decodeURIComponent(location.pathname.split('/')[2] ?? '')

const player = new Player({
  room,
  mode: asked.get('latency') === 'lowest' ? 'lowest' : 'standard',
  whep: config.whep,
  iceServers: config.iceServers,
  autoplay: asked.get('autoplay') !== '0',
})
mount(Embed, {
  target: document.getElementById('app') ?? document.body,
  props: {
    player,
    room: config.room,
    address: new URL(`/watch/${encodeURIComponent(room)}`, config.publicUrl || location.origin).href,
  },
})
