import { describe, expect, it } from 'vitest'
import { ApiFailure } from '$lib/api/client'
import { Draft } from './draft.svelte'

function storage() {
  const kept = new Map<string, string>()
  return {
    kept,
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
    removeItem: (key: string) => void kept.delete(key),
  }
}
const INITIAL = { title: 'T', speakers: '', open: false }

describe('a draft', () => {
  it('survives the page, and is gone once it is saved', async () => {
    const store = storage()
    const first = new Draft('session.a', INITIAL, store)
    first.values.title = 'Another'
    first.keep()
    const second = new Draft('session.a', INITIAL, store)
    expect([second.values.title, second.restored, second.changed()]).toEqual(['Another', true, { title: 'Another' }])
    expect(new Draft('session.b', INITIAL, store).restored).toBe(false)
    expect(await second.send(async () => undefined)).toBe(true)
    expect(store.kept.size).toBe(0)
  })

  it('is nothing when all is as it was', () => {
    const store = storage()
    const draft = new Draft('a', INITIAL, store)
    draft.values.open = true
    draft.keep()
    draft.values.open = false
    draft.keep()
    expect([draft.dirty, store.kept.size]).toEqual([false, 0])
    draft.values.open = true
    draft.discard()
    expect([draft.dirty, draft.values.open]).toEqual([false, false])
  })

  it('is not broken by what another version kept', () => {
    const store = storage()
    store.kept.set('streamer.draft.a', '{"title": 7, "gone": "x"}')
    expect(new Draft('a', INITIAL, store).values).toEqual(INITIAL)
    store.kept.set('streamer.draft.a', '{')
    expect(new Draft('a', INITIAL, store).values).toEqual(INITIAL)
  })

  it('tells at the field what was refused, and of a list at the list', async () => {
    const draft = new Draft('a', INITIAL, storage())
    const details = [
      { field: 'speakers.2', message: 'too long', code: 'string_too_long' },
      { field: 'title', message: 'missing', code: 'missing' },
    ]
    expect(await draft.send(() => Promise.reject(new ApiFailure(422, 'invalid', 'No.', details)))).toBe(false)
    expect(draft.problems).toEqual({
      speakers: { code: 'string_too_long', message: 'too long' },
      title: { code: 'missing', message: 'missing' },
    })
    expect([draft.failure, draft.busy]).toEqual([null, false])
  })

  it('tells at the later one that two do not go together', async () => {
    const draft = new Draft('a', { start: '', end: '' }, storage())
    const details = [{ field: 'body', message: 'Value error, end must come after start', code: 'value_error' }]
    await draft.send(() => Promise.reject(new ApiFailure(422, 'invalid', 'No.', details)))
    expect([Object.keys(draft.problems), draft.failure]).toEqual([['end'], null])
  })

  it('tells of the whole what is about no field', async () => {
    const draft = new Draft('a', INITIAL, storage())
    await draft.send(() => Promise.reject(new ApiFailure(409, 'exists', 'It exists.')))
    expect([draft.failure?.code, draft.problems]).toEqual(['exists', {}])
  })
})
