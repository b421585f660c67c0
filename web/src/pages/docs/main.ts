import { mount } from 'svelte'
import '$lib/styles/base.css'
import Docs from './Docs.svelte'

mount(Docs, { target: document.getElementById('app') ?? document.body })
