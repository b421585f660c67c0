import { describe, expect, it } from 'vitest'
import { enumOr, listOf, type Read, readText, readTextOrNull, readTime, shape } from './read'
import type { Schema } from './types'

const readThing = shape<Schema['HoldView']>()(({ field, needed, maybe }) => ({
  since_ms: needed('since', readTime),
  message: field('message', readText),
  until_ms: maybe('until', readTime),
}))

describe('a shape', () => {
  it('has the fields that it names, by their own names', () => {
    const thing: Read<typeof readThing> | null = readThing({ since: '2026-11-24T08:00:00Z', message: 'a', until: 5 })
    expect(thing).toEqual({ since_ms: Date.UTC(2026, 10, 24, 8), message: 'a', until_ms: 5 })
  })
  it('is nothing without what is needed, and without what is no object', () => {
    for (const body of [{ message: 'a' }, { since: 'soon' }, null, 'a', [], 5]) expect(readThing(body)).toBeNull()
  })
  it('leaves away what was not told, and only that', () => {
    expect(readThing({ since: 1 })).toEqual({ since_ms: 1, message: '' })
    expect(readThing({ since: 1, until: null })).toEqual({ since_ms: 1, message: '', until_ms: null })
  })
  it('leaves out of a list what cannot be read', () => {
    expect(listOf(readTextOrNull)(['a', 5, '', null, 'b'])).toEqual(['a', 'b'])
    expect(listOf(readTextOrNull)({ a: 1 })).toEqual([])
    expect(enumOr(['a', 'b'], 'a')('c')).toBe('a')
  })
})
