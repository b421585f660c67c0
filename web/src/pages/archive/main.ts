import '$lib/styles/base.css'
import { openPage } from '$lib/open-page'
import Archive from './Archive.svelte'
import { ArchivePage } from './model.svelte'

openPage(Archive, { page: new ArchivePage() })
