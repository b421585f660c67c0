import '$lib/styles/base.css'
import { enterByLink } from '$lib/enter'
import { openPage } from '$lib/open-page'
import Home from './Home.svelte'
import { HomePage } from './model.svelte'

void enterByLink().then(() => {
  const page = new HomePage()
  openPage(Home, { page }, page.looked)
})
