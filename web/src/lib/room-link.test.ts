import { afterEach, expect, it, vi } from 'vitest'
import { openRoom } from './room-link'

afterEach(() => void vi.unstubAllGlobals())

it('keeps a token and logs in by it, once', () => {
  const kept: string[][] = []
  const asked: string[] = []
  vi.stubGlobal('sessionStorage', { setItem: (...pair: string[]) => kept.push(pair) })
  vi.stubGlobal('fetch', (input: string) => {
    asked.push(input)
    return Promise.reject(new TypeError('offline'))
  })
  expect(openRoom('a', 'g.s')).toBe('g.s')
  expect(kept).toEqual([['streamer.token.a', 'g.s']])
  expect(asked).toEqual(['/api/v1/login'])
  expect(openRoom('a', '')).toBe('')
  expect(asked).toHaveLength(1)
})
