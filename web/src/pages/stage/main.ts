import { mount } from 'svelte'
import '$lib/styles/base.css'
import './stage.css'
import { tokenOfTab } from '$lib/kept-token'
import { readConfig } from '$lib/config'
import { locale } from '$lib/i18n'
import Stage from './Stage.svelte'
import { closedSessionOf } from './stage-model.svelte'
import { readAsked } from './view'

const config = readConfig()
const asked = readAsked(location.search)
const room = config.room?.id ?? decodeURIComponent(location.pathname.split('/')[2] ?? '')

const { documentElement } = document
documentElement.dataset['theme'] = asked.theme
documentElement.classList.toggle('transparent', asked.transparent)
if (asked.language) locale.use(asked.language)

// A screen runs for days.
const token = tokenOfTab(`streamer.stage.${room}`)

void closedSessionOf(room, token).then((session) => {
  mount(Stage, {
    target: document.getElementById('app') ?? document.body,
    props: {
      room: config.room ?? { id: room, name: room, venue: null, timezone: null, logos: [] },
      host: new URL(config.publicUrl || location.origin).host,
      asked,
      token,
      session,
    },
  })
})
