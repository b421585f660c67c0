import { type Translation, translator } from '$lib/i18n'

export const en = { yes: 'Yes', no: 'No' } as const

export const fr: Translation<typeof en> = { yes: 'Oui', no: 'Non' }

export const t = translator({ en, fr })
