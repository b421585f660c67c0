import { mount } from 'svelte'
import '$lib/styles/base.css'
import { readConfig } from '$lib/config'
import CaptionPage from './CaptionPage.svelte'

const config = readConfig()
const room = config.room?.id ?? decodeURIComponent(location.pathname.split('/')[2] ?? '')

mount(CaptionPage, {
  target: document.getElementById('app') ?? document.body,
  props: { room, name: config.room?.name ?? room, zone: config.room?.timezone ?? undefined },
})
