import { mount } from 'svelte'
import '$lib/styles/base.css'
import './admin.css'
import { readConfig } from '$lib/config'
import Admin from './Admin.svelte'

const target = document.getElementById('app')
if (target) {
  target.replaceChildren()
  mount(Admin, { target, props: { version: readConfig().version } })
}
