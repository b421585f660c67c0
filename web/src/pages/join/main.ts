import { mount } from 'svelte'
import '$lib/styles/base.css'
import Join from './Join.svelte'

mount(Join, { target: document.getElementById('app') ?? document.body })
