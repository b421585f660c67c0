/** Colours, typeface, logo and cover that are learnt while a page is open: another event begins, another venue is chosen. */
import { branding } from './branding.svelte'

export interface Look {
  name: string
  logo: string
  cover: string
  /** The look as CSS, made by the server. */
  stylesheet: string
}

/** The look that the page came with. */
let first: { rules: string; branding: typeof branding } | undefined

/** Gives the page these looks, of a venue and then of its event; without any, those that it came with. */
export function applyTheme(...looks: readonly (Look | null)[]): void {
  let sheet = document.getElementById('branding')
  if (!sheet) {
    sheet = Object.assign(document.createElement('style'), { id: 'branding' })
    document.head.append(sheet)
  }
  first ??= { rules: sheet.textContent ?? '', branding: { ...branding } }
  if (looks.length === 0) {
    sheet.textContent = first.rules
    Object.assign(branding, first.branding)
  } else {
    const applied = looks.filter((look) => look !== null && (look.stylesheet !== '' || look.logo !== ''))
    const last = (name: 'logo' | 'cover') => applied.findLast((look) => look?.[name])?.[name] ?? ''
    sheet.textContent = applied.map((look) => look?.stylesheet).join('')
    Object.assign(branding, { name: applied.at(-1)?.name ?? '', logo: last('logo'), cover: last('cover') })
  }
  const colour = getComputedStyle(document.documentElement).getPropertyValue('--color-page').trim()
  const metas = document.querySelectorAll<HTMLMetaElement>('meta[name="theme-color"]')
  metas.forEach((meta) => (meta.content = colour))
}
