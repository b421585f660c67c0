import { beforeEach, describe, expect, it } from 'vitest'
import { ReplayTalk } from './replay-talk.svelte'
import { STRETCH_MS } from './stretches'
import { survivesVersions } from '$lib/api/versions'
import type { Schema } from '$lib/api/types'
import { readRecording } from '../wire'
import { type Kind, readPage } from './wire'

const START = Date.UTC(2026, 10, 24, 9)
const MINUTE = 60_000
const END = START + 60 * MINUTE
const at = (minutes: number) => START + minutes * MINUTE

const message = (id: string, minutes: number, fields: object = {}) => ({
  id,
  participant: 'p',
  name: 'Ada',
  role: null,
  text: id,
  at: new Date(at(minutes) + 3_000).toISOString(),
  media_at: at(minutes),
  session: 's',
  reply_to: null,
  state: 'visible',
  ...fields,
})
const question = (id: string, asked: number | null, staged: number | null = null, answered: number | null = null) => ({
  id,
  participant: 'p',
  name: 'Ada',
  role: null,
  anonymous: false,
  place: null,
  text: `${id}?`,
  edited: false,
  state: answered === null ? (staged === null ? 'approved' : 'on_stage') : 'answered',
  votes: 2,
  at: new Date(START).toISOString(),
  media_at: asked === null ? null : at(asked),
  staged_at: staged === null ? null : at(staged),
  answered_at: answered === null ? null : at(answered),
  session: 's',
})
const poll = (id: string, opened: number, closed: number | null) => ({
  id,
  kind: 'single',
  question: 'Which?',
  options: [{ id: 0, text: 'a', votes: 1 }],
  voters: 1,
  state: closed === null ? 'open' : 'closed',
  results_at_end: false,
  at: new Date(at(opened)).toISOString(),
  media_at: at(opened),
  closed_at: null,
  closed_media_at: closed === null ? null : at(closed),
  session: 's',
})

interface Told {
  chat?: ReturnType<typeof message>[]
  questions?: ReturnType<typeof question>[]
  polls?: ReturnType<typeof poll>[]
  captions?: Record<string, { id: string; media_at: number; text: string }[]>
  chapters?: { id: string; media_at: number; label: string; question: string | null }[]
}

/** A server with a session of an hour: `most` items of a kind in an answer. */
class Server {
  asked: { kinds: readonly Kind[]; from_ms: number; to_ms: number }[] = []
  failing = false
  gone = false
  waiting: (() => void)[] = []
  most = Infinity

  constructor(readonly has: Told) {}

  read = async (kinds: readonly Kind[], from_ms: number, to_ms: number) => {
    this.asked.push({ kinds, from_ms, to_ms })
    await Promise.resolve()
    if (this.failing) throw new Error('status 503')
    if (this.gone) return null
    const inside = <T extends { media_at: number | null }>(items: T[] | undefined) =>
      (items ?? []).filter(({ media_at }) => media_at !== null && media_at >= from_ms && media_at < to_ms)
    const chat = kinds.includes('chat') ? inside(this.has.chat) : []
    const cut = chat[this.most]
    return readPage({
      start_ms: START,
      end_ms: END,
      skips: [],
      chat: cut ? chat.filter(({ media_at }) => media_at < cut.media_at) : chat,
      questions: kinds.includes('questions') ? (this.has.questions ?? []) : [],
      polls: kinds.includes('polls') ? (this.has.polls ?? []) : [],
      captions: kinds.includes('captions')
        ? Object.fromEntries(Object.entries(this.has.captions ?? {}).map(([tag, lines]) => [tag, inside(lines)]))
        : {},
      chapters: kinds.includes('chapters') ? (this.has.chapters ?? []) : [],
      more: cut?.media_at ?? null,
    })
  }

  after = (_delay_ms: number, what: () => void) => this.waiting.push(what)
  cancel = () => undefined
}

const settle = async () => {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve()
}

async function talkOf(server: Server, minutes: number | null = null): Promise<ReplayTalk> {
  const talk = new ReplayTalk(server)
  void talk.start()
  await settle()
  if (minutes !== null) talk.follow(at(minutes))
  await settle()
  return talk
}

const keys = (talk: ReplayTalk) => talk.entries.map(({ key }) => key)

describe('what is shown', () => {
  let server: Server
  beforeEach(() => {
    server = new Server({
      chat: [message('hello', 1), message('later', 3), message('much later', 31)],
      questions: [question('why', 2, 4, 6), question('before', null, 5, null)],
      polls: [poll('p', 2, 8)],
      chapters: [{ id: 'q-why', media_at: at(4), label: 'why?', question: 'why' }],
    })
  })

  it('is nothing before the picture plays', async () => {
    const talk = await talkOf(server)
    expect(talk.state).toBe('ready')
    expect(keys(talk)).toEqual([])
    expect(talk.asked).toEqual([])
    expect(talk.chapters.map(({ label }) => label)).toEqual(['why?'])
  })

  it('follows the picture, and goes back with it', async () => {
    const talk = await talkOf(server, 2.5)
    expect(keys(talk)).toEqual(['m hello', 'asked why', 'opened p'])
    talk.follow(at(4))
    expect(keys(talk)).toEqual(['m hello', 'asked why', 'opened p', 'm later', 'staged why'])
    talk.follow(at(1.5))
    expect(keys(talk)).toEqual(['m hello'])
    talk.follow(at(0.5))
    expect(keys(talk)).toEqual([])
  })

  it('is there where the browser stands a frame before the moment that it was led to', async () => {
    const talk = await talkOf(server)
    talk.follow(at(1) - 40)
    expect(keys(talk)).toEqual(['m hello'])
    talk.follow(at(1) - 1000)
    expect(keys(talk)).toEqual([])
  })

  it('has the question in the state that it had then', async () => {
    const talk = await talkOf(server, 3)
    const states = () => talk.asked.map(({ asked, state }) => `${asked.question.id} ${state}`)
    expect(states()).toEqual(['why waiting'])
    talk.follow(at(4.5))
    expect(states()).toEqual(['why staged'])
    talk.follow(at(7))
    expect(states()).toEqual(['before staged', 'why answered'])
    talk.follow(at(3))
    expect(states()).toEqual(['why waiting'])
  })

  it('has polls open, then closed', async () => {
    const talk = await talkOf(server, 1)
    expect(talk.polled).toEqual([])
    talk.follow(at(3))
    expect(talk.polled[0]?.state).toBe('open')
    talk.follow(at(9))
    expect(talk.polled[0]?.state).toBe('closed')
  })

  it('is all of it where the viewer wants that, and knows where the picture is in it', async () => {
    const talk = await talkOf(server, 2.5)
    talk.showAll(true)
    await settle()
    expect(keys(talk)).toContain('m much later')
    expect(talk.current).toBe(2)
    expect(talk.asked).toHaveLength(2)
    talk.showAll(false)
    expect(keys(talk)).toEqual(['m hello', 'asked why', 'opened p'])
  })
})

describe('what is read', () => {
  const chat = Array.from({ length: 60 }, (_, minute) => message(`m${minute}`, minute))
  const stretches = (server: Server) =>
    server.asked.filter(({ kinds }) => kinds.includes('chat')).map(({ from_ms }) => (from_ms - START) / STRETCH_MS)

  it('is the stretch that is seen, and the next shortly before it begins', async () => {
    const server = new Server({ chat })
    const talk = await talkOf(server, 0.1)
    expect(stretches(server)).toEqual([0])
    for (let minute = 0.2; minute < 4; minute += 0.1) talk.follow(at(minute))
    await settle()
    expect(stretches(server)).toEqual([0])
    talk.follow(at(4.1))
    await settle()
    expect(stretches(server)).toEqual([0, 1])
    talk.follow(at(5.5))
    expect(keys(talk)).toEqual(['m m0', 'm m1', 'm m2', 'm m3', 'm m4', 'm m5'])
  })

  it('is filled at once after a jump: where the picture is, and what was said shortly before', async () => {
    const server = new Server({ chat })
    const talk = await talkOf(server, 1)
    talk.follow(at(42))
    await settle()
    expect(stretches(server)).toEqual([0, 8, 7])
    // Minutes that were not read leave no hole in the list: it begins after them.
    expect(keys(talk)[0]).toBe('m m35')
    expect(keys(talk).at(-1)).toBe('m m42')
    expect(talk.hasEarlier).toBe(true)
    talk.earlier()
    await settle()
    expect(keys(talk)[0]).toBe('m m25')
    talk.follow(at(2))
    expect(keys(talk)).toEqual(['m m0', 'm m1', 'm m2'])
    expect(stretches(server)).toEqual([0, 8, 7, 6, 5])
  })

  it('is read on where an answer does not hold all', async () => {
    const server = new Server({ chat })
    server.most = 2
    const talk = await talkOf(server, 4.5)
    expect(keys(talk)).toEqual(['m m0', 'm m1', 'm m2', 'm m3', 'm m4'])
  })

  it('is asked for again where no answer came', async () => {
    const server = new Server({ chat })
    const talk = await talkOf(server, 1)
    server.failing = true
    talk.follow(at(12))
    await settle()
    expect(keys(talk)).toEqual([])
    server.failing = false
    server.waiting.at(-1)?.()
    await settle()
    expect(keys(talk)[0]).toBe('m m0')
    expect(keys(talk).at(-1)).toBe('m m12')
  })

  it('is nothing where there is no replay', async () => {
    const server = new Server({ chat })
    server.gone = true
    const talk = await talkOf(server, 1)
    expect(talk.state).toBe('none')
    expect(server.asked).toHaveLength(1)
  })

  it('has captions by language', async () => {
    const line = (minutes: number, text: string) => ({ id: `l${minutes}`, media_at: at(minutes), text })
    const server = new Server({ captions: { fr: [line(1, 'Bonjour'), line(3, 'Merci')], en: [line(1, 'Hello')] } })
    const talk = await talkOf(server, 2)
    expect(talk.languages).toEqual(['en', 'fr'])
    expect(talk.transcript('fr').map(({ text }) => text)).toEqual(['Bonjour'])
    talk.showAll(true)
    expect(talk.transcript('fr').map(({ text }) => text)).toEqual(['Bonjour', 'Merci'])
  })
})

it('reads a timeline of an older and of a newer server', () => {
  const page: Schema['Timeline'] = {
    session: 's',
    start_ms: START,
    end_ms: END,
    skips: [],
    chat: [message('hello', 1)],
    questions: [question('why', 2, 4, 6)],
    polls: [poll('p', 2, 8)],
    captions: { fr: [{ id: 'c', media_at: at(1), text: 'Bonjour' }] },
    chapters: [{ id: 'q-why', media_at: at(4), label: 'why?', question: 'why' }],
    more: null,
  }
  survivesVersions(readPage, page, ['start_ms'])
  const recording: Schema['RecordingView'] = {
    session: 's',
    room: 'turing',
    title: 'Opening',
    speakers: [],
    event: null,
    state: 'ready',
    published: true,
    start_ms: START,
    end_ms: END,
    replay_url: '/replay/s/index.m3u8',
    download_url: '/replay/s.mp4',
  }
  survivesVersions(readRecording, recording, [])
})
