import '$lib/styles/base.css'
import { openPage } from '$lib/open-page'
import Home from './Home.svelte'
import { HomePage } from './model.svelte'

const page = new HomePage()
openPage(Home, { page }, page.looked)
