/** Colours, typeface, logo and cover that are learnt while a page is open: another event begins, another venue is chosen. */
import { branding } from './branding.svelte'

export interface Look {
  name: string
  logo: string
  cover: string
  /** The look as CSS, made by the server. */
  stylesheet: string
}

/** Gives the page these looks; the later ones stand over those before them. Without any it has the program's own. */
export function dress(...looks: readonly (Look | null)[]): void {
  const worn = looks.filter((look) => look !== null && (look.stylesheet !== '' || look.logo !== ''))
  let sheet = document.getElementById('branding')
  if (!sheet) {
    sheet = Object.assign(document.createElement('style'), { id: 'branding' })
    document.head.append(sheet)
  }
  sheet.textContent = worn.map((look) => look?.stylesheet).join('')
  const last = (name: 'logo' | 'cover') => worn.findLast((look) => look?.[name])?.[name] ?? ''
  branding.name = worn.at(-1)?.name ?? ''
  branding.logo = last('logo')
  branding.cover = last('cover')
  const colour = getComputedStyle(document.documentElement).getPropertyValue('--color-page').trim()
  const metas = document.querySelectorAll<HTMLMetaElement>('meta[name="theme-color"]')
  metas.forEach((meta) => (meta.content = colour))
}
