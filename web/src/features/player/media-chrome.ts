import 'media-chrome/dist/media-controller.js'
import 'media-chrome/dist/media-control-bar.js'
import 'media-chrome/dist/media-play-button.js'
import 'media-chrome/dist/media-mute-button.js'
import 'media-chrome/dist/media-volume-range.js'
import 'media-chrome/dist/media-pip-button.js'
import 'media-chrome/dist/media-fullscreen-button.js'
import { Fr } from 'media-chrome/dist/lang/fr.js'
import { addTranslation, setLanguage } from 'media-chrome/dist/utils/i18n.js'
import type { Locale } from '$lib/i18n'

addTranslation('fr', Fr)

/** media-chrome's own words. Its elements read them when they are made: make them anew after a change. */
export function speak(locale: Locale): Locale {
  setLanguage(locale)
  return locale
}
