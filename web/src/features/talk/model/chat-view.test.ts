import { beforeEach, expect, it, vi } from 'vitest'
import { ChatView } from './chat-view.svelte'
import { Conversation } from './conversation.svelte'
import { type ChatMessage, readMessage } from './items'

const NOW_MS = Date.UTC(2026, 10, 24, 9)
const told = (id: string, s: number) => ({
  id,
  participant: 'other',
  text: id,
  at: new Date(NOW_MS + s * 1000).toISOString(),
  media_at: NOW_MS + s * 1000,
  state: 'visible',
})
const message = (id: string, s: number): ChatMessage => readMessage(told(id, s))!

let conversation: Conversation
const ids = (view: ChatView) => view.messages.map(({ id }) => id)

beforeEach(() => {
  conversation = new Conversation()
  conversation.snapshot({ audience: { session: 'keynote', chat: [told('a', -300), told('b', -10)] }, own: {} }, false)
})

it('reads what the feed does not hold any more, once, where the picture has come to it', async () => {
  const read = vi.fn(async () => [message('older', -1_000), message('old', -500), message('a', -300)])
  const view = new ChatView(conversation, read)
  view.look(NOW_MS - 100_000, NOW_MS)
  expect(read, 'the feed has it').not.toHaveBeenCalled()
  for (let time = 0; time < 2; time++) {
    view.look(NOW_MS - 400_000, NOW_MS)
    await Promise.resolve()
  }
  expect(read.mock.calls).toEqual([['keynote', NOW_MS - 1_000_000, NOW_MS - 300_000]])
  await vi.waitFor(() => expect(ids(view)).toEqual(['older', 'old']))
  view.look(NOW_MS - 200_000, NOW_MS)
  expect(ids(view)).toEqual(['older', 'old', 'a'])
  view.forget(new Set(['old']))
  expect(ids(view)).toEqual(['older', 'a'])
  view.live = true
  expect(ids(view)).toEqual(['a', 'b'])
})

it('asks again later where nothing came, and not at all without a session', async () => {
  const read = vi.fn(async () => {
    throw new Error('status 503')
  })
  const view = new ChatView(conversation, read)
  view.look(NOW_MS - 400_000, NOW_MS)
  await vi.waitFor(() => expect(read).toHaveBeenCalledTimes(1))
  await Promise.resolve()
  view.look(NOW_MS - 400_000, NOW_MS + 1_000)
  expect(read).toHaveBeenCalledTimes(1)
  view.look(NOW_MS - 400_000, NOW_MS + 20_000)
  expect(read).toHaveBeenCalledTimes(2)
  conversation.event({ seq: 1, type: 'questions.session', at_ms: NOW_MS, mediaAt_ms: null, data: { session: null } })
  view.look(NOW_MS - 900_000, NOW_MS + 60_000)
  expect(read).toHaveBeenCalledTimes(2)
})
