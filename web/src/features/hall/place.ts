import { t } from './locales/hall'

/** Where somebody is, in the reader's language where it is no name. */
export function placeName(place: string | null): string {
  if (place === 'hall' || place === 'remote') return t(`place.${place}`)
  return place ?? ''
}
