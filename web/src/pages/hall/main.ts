import { mount } from 'svelte'
import '$lib/styles/base.css'
import { readConfig } from '$lib/config'
import { remember } from '$lib/live/myself'
import CodePage from './CodePage.svelte'
import Hall from './Hall.svelte'

const { room, hall } = readConfig()
const target = document.getElementById('app') ?? document.body

if (room && hall) {
  // As it was meant: what was typed may have had dashes.
  history.replaceState(history.state, '', `/join/${hall.code}${location.hash}`)
  // Where one is, for the connection that is made in a moment.
  remember({ place: hall.place })
  mount(Hall, { target, props: { room, place: hall.place } })
} else {
  mount(CodePage, { target, props: { problem: hall?.problem ?? null, typed: hall?.code ?? '' } })
}
