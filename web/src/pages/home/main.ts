import { mount } from 'svelte'
import '$lib/styles/base.css'
import Home from './Home.svelte'

mount(Home, { target: document.getElementById('app') ?? document.body })
