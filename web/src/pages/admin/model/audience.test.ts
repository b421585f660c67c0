import { describe, expect, it } from 'vitest'
import { AdminApi } from './api'
import { askFigures, countText, readWatched, tableUrl } from './audience'

const answering = (answers: Record<string, unknown>) => {
  const asked: string[] = []
  const api = new AdminApi((path) => {
    asked.push(path)
    const found = Object.entries(answers).find(([part]) => path.includes(part))
    return Promise.resolve(new Response(JSON.stringify(found?.[1]), { status: found ? 200 : 404 }))
  })
  return { api, asked }
}

describe('a session’s audience in numbers', () => {
  it('is what was watched, and how much was asked', async () => {
    const { api, asked } = answering({
      '/sessions/s%201/audience': { session: 's 1', minutes: 725, peak: 31, average: 12.4 },
      '/questions?': { items: [{ id: 'a' }, { id: 'b' }, null], cursor: null },
      '/polls?': { items: Array.from({ length: 200 }, (_, id) => ({ id })), cursor: 'next' },
    })
    const figures = await askFigures(api, 's 1')
    expect(figures.watched).toEqual({ minutes: 725, peak: 31, average: 12.4 })
    expect([countText(figures.questions), countText(figures.polls)]).toEqual(['2', '200+'])
    expect(asked).toHaveLength(3)
    expect(asked.filter((path) => path.includes('session=s+1') || path.includes('session=s%201'))).toHaveLength(2)
  })

  it('fails as the interface does', async () => {
    const { api } = answering({ '/questions?': { items: [], cursor: null } })
    await expect(askFigures(api, 's')).rejects.toMatchObject({ status: 404 })
  })

  it('takes nothing for a number that is none', () => {
    expect(readWatched({ minutes: 1, peak: 2, average: 'x' })).toBeNull()
    expect(readWatched({ minutes: -1, peak: 2, average: 1 })).toBeNull()
    expect(readWatched(null)).toBeNull()
  })

  it('is downloaded by plain links', () => {
    expect(tableUrl('polls', 'a&b')).toBe('/api/v1/polls?session=a%26b&format=csv')
  })
})
