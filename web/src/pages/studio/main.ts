import { mount } from 'svelte'
import '$lib/styles/base.css'
import './studio.css'
import { readConfig } from '$lib/config'
import { enterByLink } from '$lib/link-token'
import StudioApp from './StudioApp.svelte'

const target = document.getElementById('app')
if (target) {
  const config = readConfig()
  target.replaceChildren()
  // A room's page keeps the token for itself: encoders need it too.
  const entered = config.room ? Promise.resolve(null) : enterByLink()
  void entered.then((problem) => mount(StudioApp, { target, props: { config, problem } }))
}
