import { mount } from 'svelte'
import '$lib/styles/base.css'
import './moderate.css'
import { readConfig } from '$lib/config'
import { enterByLink } from '$lib/link-token'
import Moderate from './Moderate.svelte'
import Rooms from './Rooms.svelte'

const config = readConfig()
const id = config.room?.id ?? decodeURIComponent(location.pathname.split('/')[2] ?? '')
const target = document.getElementById('app')
if (target) {
  target.replaceChildren()
  if (id === '') void enterByLink().then((problem) => mount(Rooms, { target, props: { problem } }))
  else mount(Moderate, { target, props: { config, room: { id, name: config.room?.name ?? id } } })
}
