import { mount } from 'svelte'
import '$lib/styles/base.css'
import { tokenOfTab } from '$lib/kept-token'
import Approve from './Approve.svelte'
import { Approval } from './approval.svelte'

const session = decodeURIComponent(location.pathname.split('/')[2] ?? '')
const approval = new Approval(session, tokenOfTab(`streamer.approve.${session}`))
mount(Approve, { target: document.getElementById('app') ?? document.body, props: { approval } })
