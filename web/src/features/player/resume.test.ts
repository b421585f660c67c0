import { describe, expect, it } from 'vitest'
import { ResumePlaces } from './resume'

function storage(begin: Record<string, string> = {}) {
  const kept = new Map(Object.entries(begin))
  return {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => kept.set(key, value),
  }
}

describe('a recording that was left', () => {
  it('goes on where it was, also after the page was opened anew', () => {
    const browser = storage()
    new ResumePlaces(browser).keep('a', 593.7, 1800)
    expect(new ResumePlaces(browser).of('a')).toBe(593)
    expect(new ResumePlaces(browser).of('b')).toBe(null)
  })

  it('begins at its start when it had hardly begun, or was seen to its end', () => {
    const places = new ResumePlaces(storage())
    places.keep('a', 5, 1800)
    expect(places.of('a')).toBe(null)
    places.keep('a', 900, 1800)
    places.keep('a', 1790, 1800)
    expect(places.of('a')).toBe(null)
  })

  it('is forgotten after many others', () => {
    const places = new ResumePlaces(storage())
    for (let index = 0; index < 61; index++) places.keep(`s${index}`, 100, 1800)
    expect([places.of('s0'), places.of('s1'), places.of('s60')]).toEqual([null, 100, 100])
  })

  it('needs no storage, and takes nothing that it did not write', () => {
    const none = new ResumePlaces(null)
    none.keep('a', 100, 1800)
    expect(none.of('a')).toBe(null)
    for (const bad of ['{', '{}', '[["a"]]', '[1,null]', '[["a","x",3]]'])
      expect(new ResumePlaces(storage({ 'streamer.resume': bad })).of('a')).toBe(null)
    const full = {
      getItem: () => null,
      setItem: () => {
        throw new Error('full')
      },
    }
    expect(() => new ResumePlaces(full).keep('a', 100, 1800)).not.toThrow()
  })
})
