import { t } from './locales/common'
import { type PageBranding, readConfig } from './config'

/** The venue or event whose page this is, as the server told it first; `applyTheme` changes it. */
export const branding: PageBranding = $state(readConfig().branding ?? { name: '', logo: '', cover: '' })

/** The name of the site, for titles. */
export const siteName = () => branding.name || t('product')
