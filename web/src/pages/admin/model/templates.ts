/** Organisers' defaults for new sessions of a kind (`streamer/api/templates.py`). Pure. */
import { type Read, readNumberOrNull, readTextOrNull, shape } from '$lib/api/read'
import type { Schema } from '$lib/api/types'
import { wholeOrNull } from './places'
import { fromLocal, toLocal } from './when'

export type Template = Read<typeof readTemplate>
export const readTemplate = shape<Schema['TemplateView']>()(({ field, needed }) => ({
  id: needed('id', readTextOrNull),
  kind: needed('kind', readTextOrNull),
  /** Null: everywhere. */
  venue: field('venue', readTextOrNull),
  visibility: field('visibility', readTextOrNull),
  doNotRecord: field('do_not_record', readTextOrNull),
  doNotStream: field('do_not_stream', readTextOrNull),
  replay: field('replay', readTextOrNull),
  minutes: field('minutes', readNumberOrNull),
  chat: field('chat', readTextOrNull),
  questions: field('questions', readTextOrNull),
}))

/** '' where it says nothing. */
export const templateForm = (template: Template | null) => ({
  visibility: template?.visibility ?? '',
  do_not_record: template?.doNotRecord ?? '',
  do_not_stream: template?.doNotStream ?? '',
  replay: template?.replay ?? '',
  minutes: template?.minutes == null ? '' : String(template.minutes),
  chat: template?.chat ?? '',
  questions: template?.questions ?? '',
})
export type TemplateForm = ReturnType<typeof templateForm>

export function templateBody({ minutes, ...values }: Partial<TemplateForm>): Record<string, unknown> {
  const body: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(values)) body[name] = value === '' ? null : value
  if (minutes !== undefined) body['minutes'] = wholeOrNull(minutes)
  return body
}

/** The length of a new session of a kind at a venue; null: nobody has said. */
export function minutesOf(templates: readonly Template[], kind: string, venue: string | null): number | null {
  const said = (where: string | null) =>
    templates.find((one) => one.kind === kind && one.venue === where)?.minutes ?? null
  return (venue === null ? null : said(venue)) ?? said(null)
}

/** The end of a session that begins then and lasts so long; the old one where nothing is known. */
export function endAfter(start: string, minutes: number | null, end: string, zone: string): string {
  const start_ms = fromLocal(start, zone)
  return start_ms === null || minutes === null ? end : toLocal(start_ms + minutes * 60_000, zone)
}
