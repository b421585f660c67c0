import { describe, expect, it } from 'vitest'
import { Approval } from './approval.svelte'

const TOLD = {
  session: 's',
  title: 'A talk',
  speakers: ['Zoé'],
  room: 'Turing',
  timezone: 'Europe/Paris',
  start_ms: 1,
  label: 'Zoé',
  publish: true,
  published: false,
  state: 'asked',
  note: '',
  asked: '2026-11-24T09:00:00Z',
  answered: null,
  expires: '2026-12-24T09:00:00Z',
  edition: 'one',
  duration_ms: 5000,
  url: 'https://streamer.test/replay/s/~k/one/index.m3u8',
  chapters: [{ at_ms: 10, label: 'Begin' }, 'x'],
}

/** Answers one request after the other. */
function server(...answers: [status: number, body?: object][]) {
  const asked: { address: string; method: string; token: string; json: unknown }[] = []
  const fetcher = (address: RequestInfo | URL, init?: RequestInit) => {
    const headers = init?.headers as Record<string, string>
    asked.push({
      address: String(address),
      method: init?.method ?? 'GET',
      token: headers['Authorization'] ?? '',
      json: typeof init?.body === 'string' ? JSON.parse(init.body) : null,
    })
    const [status, body = {}] = answers.shift() ?? [500]
    return Promise.resolve(new Response(JSON.stringify(body), { status }))
  }
  return { asked, fetcher: fetcher as typeof fetch }
}

describe('an approval', () => {
  it('is looked at and given with the link’s own token', async () => {
    const { asked, fetcher } = server([200, TOLD], [200, { ...TOLD, state: 'approved', published: true }])
    const approval = new Approval('s/1', 'tok', fetcher)
    await approval.look()
    expect(approval.asked).toMatchObject({ edition: 'one', chapters: [{ at_ms: 10, label: 'Begin' }] })
    expect(await approval.answer(true)).toBe(true)
    expect(approval.asked).toMatchObject({ state: 'approved', published: true })
    expect(asked[0]).toMatchObject({ address: '/api/v1/recordings/s%2F1/approval', token: 'Bearer tok' })
    expect(asked[1]).toMatchObject({
      address: '/api/v1/recordings/s%2F1/approval/answer',
      method: 'POST',
      json: { edition: 'one', approved: true, note: '' },
    })
  })

  it('is about the cut that is there now', async () => {
    const { fetcher } = server([200, TOLD], [409, { error: { code: 'replaced' } }], [200, { ...TOLD, edition: 'two' }])
    const approval = new Approval('s', 'tok', fetcher)
    await approval.look()
    expect(await approval.answer(true)).toBe(false)
    expect([approval.changed, approval.asked?.edition, approval.refused]).toEqual([true, 'two', false])
  })

  it('is over with its link, and waits for a server that does not answer', async () => {
    const { fetcher } = server([503], [401], [200, { nothing: 1 }])
    const approval = new Approval('s', 'tok', fetcher)
    await approval.look()
    expect([approval.unreachable, approval.refused]).toEqual([true, false])
    await approval.look()
    expect([approval.unreachable, approval.refused]).toEqual([false, true])
    await approval.look()
    expect(approval.refused).toBe(true)
  })
})
