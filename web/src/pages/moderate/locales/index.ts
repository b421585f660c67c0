import { translator } from '$lib/i18n'
import { en } from './en'
import { fr } from './fr'

export const t = translator({ en, fr })
