import { mount } from 'svelte'
import '$lib/styles/base.css'
import './stage.css'
import { readConfig } from '$lib/config'
import { locale } from '$lib/i18n'
import Stage from './Stage.svelte'
import { closedSessionOf } from './stage.svelte'
import { readAsked, tokenOf, withoutToken } from './view'

const config = readConfig()
const asked = readAsked(location.search)
const room = config.room?.id ?? decodeURIComponent(location.pathname.split('/')[2] ?? '')
const key = `streamer.stage.${room}`

/** The link's token. It leaves the address, and stays for reloads of this tab: a screen runs for days. */
function takeToken(): string {
  const given = tokenOf(location)
  try {
    if (given === '') return sessionStorage.getItem(key) ?? ''
    sessionStorage.setItem(key, given)
  } catch {
    return given // The address keeps it, for there is nothing else that would.
  }
  history.replaceState(history.state, '', withoutToken(location))
  return given
}

const { documentElement } = document
documentElement.dataset['theme'] = asked.theme
documentElement.classList.toggle('transparent', asked.transparent)
if (asked.language) locale.use(asked.language)

const token = takeToken()
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
