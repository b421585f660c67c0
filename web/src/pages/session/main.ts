import { mount } from 'svelte'
import '$lib/styles/base.css'
import { readConfig } from '$lib/config'
import type { Mode } from '$features/player/player.svelte'
import { SessionPage } from './model.svelte'
import Session from './Session.svelte'

const config = readConfig()
const asked = new URLSearchParams(location.search)
const mode: Mode = asked.get('latency') === 'lowest' ? 'lowest' : asked.has('poor') ? 'poor' : 'standard'
const page = new SessionPage(decodeURIComponent(location.pathname.split('/')[2] ?? ''), config, mode)

mount(Session, { target: document.getElementById('app') ?? document.body, props: { page } })
