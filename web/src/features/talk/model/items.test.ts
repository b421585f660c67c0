import { expect, it } from 'vitest'
import { readCounts, readMessage, readMode, readNotice, readOrder, readPoll, readQuestion, readRemoved } from './items'

const AT = '2026-11-24T09:00:00.250+00:00'
const AT_MS = Date.UTC(2026, 10, 24, 9) + 250

const message = {
  id: 'm1',
  participant: 'p1',
  name: 'Ada',
  role: null,
  text: '<b>hello</b>',
  at: AT,
  media_at: AT_MS - 4_000,
  session: 's1',
  reply_to: null,
  state: 'visible',
}

it('reads a message with its text as it is', () => {
  expect(readMessage(message)).toEqual({
    id: 'm1',
    participant: 'p1',
    name: 'Ada',
    role: null,
    text: '<b>hello</b>',
    at_ms: AT_MS,
    mediaAt_ms: AT_MS - 4_000,
    session: 's1',
    replyTo: null,
    state: 'visible',
  })
})

it('reads what only moderators are told, where it is there', () => {
  const read = readMessage({ ...message, state: 'delayed', reason: 'word', until: AT })
  expect(read).toMatchObject({ state: 'delayed', reason: 'word', until_ms: AT_MS })
  expect(readMode({ chat: 'open', questions: 'open', hold_seconds: 4, shield: true, words: ['x'] })).toMatchObject({
    hold_s: 4,
    shield: true,
    words: ['x'],
  })
  expect(readMode({ chat: 'open', questions: 'open' })).not.toHaveProperty('shield')
})

it('takes a state, a role or a mode that it does not know for the stricter', () => {
  expect(readMessage({ ...message, state: 'sparkling', role: 'emperor' })).toMatchObject({ state: 'held', role: null })
  expect(readMode({ chat: 'whispered', questions: 'sung' })).toMatchObject({ chat: 'read_only', questions: 'closed' })
})

it.each([null, 7, 'text', [], {}, { id: 'x' }, { ...message, at: 'then' }, { ...message, text: null }])(
  'makes no message of %j',
  (data) => expect(readMessage(data)).toBeNull(),
)

it('reads an anonymous question, and the author’s own view of it', () => {
  const question = { ...message, name: null, participant: null, anonymous: true, state: 'approved', votes: 3 }
  expect(readQuestion(question)).toMatchObject({ name: null, participant: null, anonymous: true, votes: 3 })
  expect(readQuestion({ ...question, mine: true, withdrawn: false, merged_into: 'q2' })).toMatchObject({
    mine: true,
    withdrawn: false,
    mergedInto: 'q2',
  })
  expect(readQuestion({ ...question, state: 'elsewhere' })).toMatchObject({ state: 'elsewhere' })
})

it('tells votes that are kept back from none', () => {
  const poll = { id: 'p', kind: 'single', question: '?', at: AT, state: 'open', voters: 2, results_at_end: true }
  const options = [
    { id: 0, text: 'Yes', votes: null },
    { id: 1, text: 'No', votes: 0 },
  ]
  expect(readPoll({ ...poll, options })).toMatchObject({ open: true, resultsAtEnd: true, options })
  expect(readPoll({ ...poll, options: [] })).toBeNull()
})

it('reads a notice, an order, counts and what is taken away', () => {
  expect(readNotice({ id: 'n', text: 'Back at ten', at: AT, until: null })).toEqual({
    id: 'n',
    text: 'Back at ten',
    at_ms: AT_MS,
    until_ms: null,
  })
  expect(readOrder({ by: 'votes', ids: ['b', 3, 'a'] })).toEqual({ by: 'votes', ids: ['b', 'a'] })
  expect([...readCounts({ counts: { clap: 3, heart: -1, x: 'many' } })]).toEqual([['clap', 3]])
  expect(readRemoved({ id: 'q', removed: true, archived: true })).toEqual({ id: 'q', state: null, archived: true })
  expect(readRemoved({ id: 'q' })).toBeNull()
})
