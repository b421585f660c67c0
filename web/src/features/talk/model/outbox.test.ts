import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { Answer } from '$lib/live/socket'
import { MOST_WAITING, Outbox } from './outbox.svelte'

const refused = (code: string, retryAfter_ms: number | null = null, details: unknown = null): Answer => ({
  ok: false,
  error: { code, message: '', details, retryAfter_ms },
})

let mine: Map<string, string>
let sent: string[]
/** Ids of the commands. */
let ids: string[]
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
  ids = []
  answers = []
  outbox = new Outbox({
    send: async (_command, data, { id = '' }) => {
      sent.push(String(data['text']))
      ids.push(id)
      return (await answers.shift()) ?? stores(String(data['text']))
    },
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
  outbox.connection(true)
  await settled(1_000)
  expect(sent).toEqual(['one', 'two'])
  expect(outbox.outgoing).toEqual([])
})

it('sends it again with its id where the answer was lost, over the next connection', async () => {
  outbox.connection(true)
  answers.push(refused('no_answer'))
  outbox.post('chat.send', 'hello', {})
  await settled()
  outbox.connection(false)
  expect(outbox.outgoing[0]).toMatchObject({ state: 'waiting' })
  const first = stores('hello')
  answers.push(first)
  outbox.connection(true)
  await settled()
  expect(sent).toEqual(['hello', 'hello'])
  expect(ids[0]).not.toBe('')
  expect(ids[1]).toBe(ids[0])
  expect(outbox.outgoing).toEqual([])
})

it('sends it again to a busy server, and gives each text an id of its own', async () => {
  outbox.connection(true)
  answers.push(refused('timeout'))
  outbox.post('chat.send', 'hello', {})
  outbox.post('chat.send', 'hello', {})
  await settled(5_000)
  expect(sent).toEqual(['hello', 'hello', 'hello'])
  expect(ids[1]).toBe(ids[0])
  expect(ids[2]).not.toBe(ids[0])
  expect(outbox.outgoing).toEqual([])
})

it('takes “repeated” for a refusal', async () => {
  outbox.connection(true)
  answers.push(refused('repeated', 30_000))
  outbox.post('chat.send', 'hello', {})
  await settled()
  expect(outbox.outgoing[0]).toMatchObject({ state: 'refused', refusal: { code: 'repeated', until_ms: 1_030_000 } })
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

it('gives back the first one refused, once', async () => {
  outbox.connection(true)
  answers.push(refused('repeated'))
  outbox.post('chat.send', 'twice', {})
  await settled()
  expect(outbox.takeRefused()).toMatchObject({ text: 'twice', refusal: { code: 'repeated' } })
  expect([outbox.takeRefused(), outbox.outgoing]).toEqual([null, []])
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
