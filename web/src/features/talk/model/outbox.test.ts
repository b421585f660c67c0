import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { Answer } from '$lib/live/socket'
import { MOST_WAITING, Outbox } from './outbox.svelte'

const refused = (code: string, retryAfter_ms: number | null = null, details: unknown = null): Answer => ({
  ok: false,
  error: { code, message: '', details, retryAfter_ms },
})

let mine: Map<string, string>
let sent: string[]
let answers: (Answer | Promise<Answer>)[]
let outbox: Outbox

/** As the server does: stores it, tells it, answers. */
function stores(text: string): Answer {
  const id = `m${mine.size}`
  mine.set(id, text)
  return { ok: true, data: { ok: true, id } }
}
const settled = (ms = 0) => vi.advanceTimersByTimeAsync(ms)

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 })
  mine = new Map()
  sent = []
  answers = []
  outbox = new Outbox({
    send: async (_command, data) => {
      sent.push(String(data['text']))
      return (await answers.shift()) ?? stores(String(data['text']))
    },
    known: () => new Set(mine.keys()),
    arrived: ({ text, before }) => [...mine].find(([id, said]) => said === text && !before.has(id))?.[0] ?? null,
    now: () => Date.now(),
    shown: (id) => mine.has(id),
  })
})
afterEach(() => {
  outbox.close()
  vi.useRealTimers()
})

it('keeps what is written without a connection, and sends it in order once there is one', async () => {
  outbox.post('chat.send', 'one', {})
  outbox.post('chat.send', 'two', {})
  await settled()
  expect(sent).toEqual([])
  expect(outbox.outgoing.map(({ state }) => state)).toEqual(['waiting', 'waiting'])
  outbox.connection(true, true)
  await settled(1_000)
  expect(sent).toEqual(['one', 'two'])
  expect(outbox.outgoing).toEqual([])
})

it('sends nothing twice whose answer was lost: its own message came with the reconnection', async () => {
  outbox.connection(true)
  answers.push(refused('no_answer'))
  outbox.post('chat.send', 'hello', {})
  await settled()
  outbox.connection(false)
  expect(outbox.outgoing[0]).toMatchObject({ state: 'waiting', unsure: true })
  stores('hello')
  outbox.connection(true, true)
  await settled(1_000)
  expect(sent).toEqual(['hello'])
  expect(outbox.outgoing).toEqual([])
})

it('sends it again where it is not there', async () => {
  mine.set('earlier', 'hello')
  outbox.connection(true)
  answers.push(refused('no_answer'))
  outbox.post('chat.send', 'hello', {})
  await settled(5_000)
  expect(sent).toEqual(['hello', 'hello'])
  expect(outbox.outgoing).toEqual([])
})

it('takes “repeated” for what the lost answer would have said, and for a refusal otherwise', async () => {
  outbox.connection(true)
  answers.push(refused('timeout'), refused('repeated', 30_000))
  outbox.post('chat.send', 'hello', {})
  await settled(5_000)
  expect(outbox.outgoing).toEqual([])
  answers.push(refused('repeated', 30_000))
  outbox.post('chat.send', 'hello', {})
  await settled()
  expect(outbox.outgoing[0]).toMatchObject({ state: 'refused', refusal: { code: 'repeated', until_ms: 1_035_000 } })
})

it('says why something was refused, goes on with the next, and tries once more when asked', async () => {
  outbox.connection(true)
  answers.push(refused('too_long', null, { most: 200 }))
  outbox.post('chat.send', 'long', {})
  outbox.post('chat.send', 'short', {})
  await settled()
  expect(sent).toEqual(['long', 'short'])
  expect(outbox.outgoing[0]).toMatchObject({ text: 'long', refusal: { code: 'too_long', most: 200 } })
  outbox.again(outbox.outgoing[0]!.key)
  await settled()
  expect(outbox.outgoing).toEqual([])
})

it('shows what was taken until it is told, and not for ever', async () => {
  outbox.connection(true)
  answers.push({ ok: true, data: { id: 'elsewhere' } }, { ok: true, data: { id: 'never' } })
  outbox.post('chat.send', 'a', {})
  outbox.post('chat.send', 'b', {})
  await settled()
  expect(outbox.outgoing.map(({ state }) => state)).toEqual(['sent', 'sent'])
  mine.set('elsewhere', 'a')
  outbox.look()
  expect(outbox.outgoing.map(({ text }) => text)).toEqual(['b'])
  await settled(10_000)
  expect(outbox.outgoing).toEqual([])
})

it('takes no more than can wait', () => {
  for (let n = 0; n < MOST_WAITING; n++) expect(outbox.post('chat.send', `${n}`, {})).toBe(true)
  expect(outbox.post('chat.send', 'one more', {})).toBe(false)
})
