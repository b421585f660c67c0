import type { Schema } from './api/types'
import { t } from './locales/common'

/** Roles that are shown beside a name. */
export const SHOWN_ROLES = [
  'admin',
  'organiser',
  'technician',
  'moderator',
  'speaker',
  'captioner',
] as const satisfies readonly Schema['Role'][]
export type ShownRole = (typeof SHOWN_ROLES)[number]

/** Somebody everywhere: by their name, without one by their role, and by one word where they have neither. */
export const nameOf = (name: string | null, role: ShownRole | null = null): string =>
  name || (role ? t(`role.${role}`) : t('unnamed'))
