import { mount } from 'svelte'
import '$lib/styles/base.css'
import './studio.css'
import { readConfig } from '$lib/config'
import StudioApp from './StudioApp.svelte'

const target = document.getElementById('app')
if (target) {
  target.replaceChildren()
  mount(StudioApp, { target, props: { config: readConfig() } })
}
