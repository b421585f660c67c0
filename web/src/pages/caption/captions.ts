import { listOf, readAnyText, readTextOrNull, readYes, shape } from '$lib/api/read'
import type { Schema } from '$lib/api/types'

const readCaption = shape<Schema['CaptionAnswer']>()(({ needed }) => ({
  id: needed('id', readTextOrNull),
  lang: needed('lang', readTextOrNull),
  text: needed('text', readAnyText),
}))

/** A room's captions for whoever writes them. */
export const readCaptions = shape<Schema['CaptionList']>()(({ field }) => ({
  /** BCP 47 tags of the languages that are written now. */
  languages: field('languages', listOf(readTextOrNull)),
  /** Those of the next broadcast. */
  next: field('next', listOf(readTextOrNull)),
  /** Whether the room is on air. */
  on: field('on', readYes),
  items: field('items', listOf(readCaption)),
}))
