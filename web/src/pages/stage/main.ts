import { mount } from 'svelte'
import '$lib/styles/base.css'
import './stage.css'
import { takeToken, tokenOf } from '$lib/link-token'
import { readConfig } from '$lib/config'
import { locale } from '$lib/i18n'
import Stage from './Stage.svelte'
import { closedSessionOf } from './stage.svelte'
import { readAsked } from './view'

const config = readConfig()
const asked = readAsked(location.search)
const room = config.room?.id ?? decodeURIComponent(location.pathname.split('/')[2] ?? '')
const key = `streamer.stage.${room}`

/** The link's token. It stays for reloads of this tab: a screen runs for days. */
function keptToken(): string {
  const given = takeToken()
  try {
    if (given === '') return sessionStorage.getItem(key) ?? ''
    sessionStorage.setItem(key, given)
  } catch {
    // Without storage a reload is the hall's view.
  }
  return given
}

const { documentElement } = document
documentElement.dataset['theme'] = asked.theme
documentElement.classList.toggle('transparent', asked.transparent)
if (asked.language) locale.use(asked.language)

const token = keptToken()
// Another link opened in the same tab changes no more than the fragment.
window.addEventListener('hashchange', () => tokenOf(location) !== '' && location.reload())

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
