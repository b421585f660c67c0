import '$lib/styles/base.css'
import { readConfig } from '$lib/config'
import { enterByLink, tokenOf } from '$lib/link-token'
import { openPage } from '$lib/open-page'
import Home from './Home.svelte'
import { HomePage } from './model.svelte'

const came = tokenOf(location) !== ''
void enterByLink().then(() => {
  const page = new HomePage(came || readConfig().chooses === true)
  openPage(Home, { page }, page.looked)
})
