import { mount } from 'svelte'
import '$lib/styles/base.css'
import { takeToken, tokenOf } from '$lib/link-token'
import Approve from './Approve.svelte'
import { Approval } from './approval.svelte'

const session = decodeURIComponent(location.pathname.split('/')[2] ?? '')
const key = `streamer.approve.${session}`

/** The link's token. It stays for reloads of this tab; a login in other tabs is left alone. */
function keptToken(): string {
  const given = takeToken()
  try {
    if (given === '') return sessionStorage.getItem(key) ?? ''
    sessionStorage.setItem(key, given)
  } catch {
    // Without storage a reload needs the link again.
  }
  return given
}

const approval = new Approval(session, keptToken())
window.addEventListener('hashchange', () => tokenOf(location) !== '' && location.reload())
mount(Approve, { target: document.getElementById('app') ?? document.body, props: { approval } })
