import { describe, expect, it } from 'vitest'
import { survivesVersions } from '$lib/api/versions'
import type { Schema } from '$lib/api/types'
import { endAfter, minutesOf, readTemplate, templateBody, templateForm } from './templates'

const TOLD: Schema['TemplateView'] = {
  id: 'paris.workshop',
  kind: 'workshop',
  venue: 'paris',
  visibility: 'unlisted',
  do_not_record: 'ask',
  do_not_stream: null,
  replay: null,
  minutes: 150,
  chat: 'closed',
  questions: null,
}

describe('templates', () => {
  it('are read from any version', () => {
    survivesVersions(readTemplate, TOLD, ['id', 'kind'])
  })
  it('send null for what they say nothing of any more', () => {
    const form = templateForm(readTemplate(TOLD))
    expect(form).toMatchObject({ visibility: 'unlisted', do_not_stream: '', minutes: '150', questions: '' })
    expect(templateBody({ visibility: '', chat: 'review', minutes: '' })).toEqual({
      visibility: null,
      chat: 'review',
      minutes: null,
    })
    expect(templateBody({ minutes: '45' })).toEqual({ minutes: 45 })
    expect(Object.values(templateForm(null)).every((value) => value === '')).toBe(true)
  })
  it('give a new session its length: the venue’s before everybody’s', () => {
    const there = readTemplate(TOLD)!
    const all = [there, { ...there, id: 'workshop', venue: null, minutes: 90 }]
    expect(minutesOf(all, 'workshop', 'paris')).toBe(150)
    expect(minutesOf(all, 'workshop', 'lyon')).toBe(90)
    expect(minutesOf(all, 'workshop', null)).toBe(90)
    expect(minutesOf(all, 'meeting', 'paris')).toBeNull()
    expect(endAfter('2026-11-24T09:00', 150, '2026-11-24T10:00', 'Europe/Paris')).toBe('2026-11-24T11:30')
    expect(endAfter('2026-11-24T09:00', null, '2026-11-24T10:00', 'Europe/Paris')).toBe('2026-11-24T10:00')
  })
})
