import { t } from './locales/common'

/** The name of somebody everywhere: by their name, and by one word where they have none. */
export const nameOf = (name: string | null): string => name || t('unnamed')
