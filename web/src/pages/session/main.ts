import '$lib/styles/base.css'
import { readConfig } from '$lib/config'
import { enterByLink } from '$lib/link-token'
import { openPage } from '$lib/open-page'
import { readOffset } from '$lib/protocol/offset'
import type { Mode } from '$features/player/player-state.svelte'
import { SessionPage } from './model.svelte'
import Session from './Session.svelte'

const config = readConfig()
const asked = new URLSearchParams(location.search)
const mode: Mode = asked.get('latency') === 'lowest' ? 'lowest' : asked.has('poor') ? 'poor' : 'standard'
void enterByLink().then(() => {
  const page = new SessionPage(
    decodeURIComponent(location.pathname.split('/')[2] ?? ''),
    config,
    mode,
    readOffset(asked.get('t')),
  )

  openPage(Session, { page }, page.asked)
})
