import { describe, expect, it } from 'vitest'
import { cutOf, NotTaken, PARTIAL_MS, PAUSE_MS, type Sent, Typist } from './typing'

function made(refuse: (what: Sent) => boolean = () => false, why: Error = new Error('refused')) {
  const sent: Sent[] = []
  let timers: { at: number; what: () => void }[] = []
  let now = 1_000
  let ids = 0
  const typist = new Typist(
    {
      send: (what) => {
        if (refuse(what)) return Promise.reject(why)
        sent.push(what)
        return Promise.resolve({ id: what.id ?? `id${++ids}`, text: what.text })
      },
      heard_ms: () => now - 5_000,
      now_ms: () => now,
      after: (delay_ms, what) => {
        const timer = { at: now + delay_ms, what }
        timers.push(timer)
        return timer
      },
      cancel: (timer) => (timers = timers.filter((one) => one !== timer)),
    },
    () => 'fr',
    () => undefined,
  )
  const settle = async () => {
    for (let turn = 0; turn < 20; turn++) await Promise.resolve()
  }
  const pass = async (ms: number) => {
    now += ms
    const due = timers.filter(({ at }) => at <= now)
    timers = timers.filter(({ at }) => at > now)
    for (const { what } of due) what()
    await settle()
  }
  return { typist, sent, pass, settle }
}

describe('where a text is final', () => {
  it.each([
    ['Bonjour à tous', 0],
    ['Bonjour à tous.', 0],
    ['Bonjour à tous. ', 16],
    ['Bonjour à tous. Nous', 16],
    ['M. Dupont', 0],
    ['« Est-ce vrai ? » Oui', 18],
    [`${'mot '.repeat(22)}`, 84],
    ['x'.repeat(90), 84],
  ])('%j at %d', (text, at) => expect(cutOf(text)).toBe(at))
})

describe('a captioner', () => {
  it('sends as they type, with the time of the first letter, and the line at Enter', async () => {
    const { typist, sent, pass, settle } = made()
    typist.input('Bon')
    await pass(PARTIAL_MS)
    typist.input('Bonjour')
    await pass(PARTIAL_MS)
    typist.end()
    await settle()
    expect(sent.map(({ text, final, at }) => [text, final, at])).toEqual([
      ['Bon', false, -4_000],
      ['Bonjour', false, -4_000],
      ['Bonjour', true, -4_000],
    ])
    expect(typist.lines.map(({ text, state }) => [text, state])).toEqual([['Bonjour', 'sent']])
  })

  it('keeps in the field what begins the next sentence', async () => {
    const { typist, sent, settle } = made()
    expect(typist.input('Une phrase entière. Et')).toBe('Et')
    await settle()
    expect(sent).toEqual([{ lang: 'fr', text: 'Une phrase entière.', final: true, at: -4_000 }])
  })

  it('finishes a line that is not gone on with, but for the word that is being typed', async () => {
    const { typist, sent, pass } = made()
    let rest = ''
    typist.onrest = (text) => (rest = text)
    typist.input('Je voudrais vous par')
    await pass(PAUSE_MS)
    expect(sent.at(-1)).toMatchObject({ text: 'Je voudrais vous', final: true })
    expect(rest).toBe('par')
  })

  it('takes back what was begun and wiped out', async () => {
    const { typist, sent, pass, settle } = made()
    typist.input('Zut')
    await pass(PARTIAL_MS)
    typist.input('')
    await settle()
    expect(sent.map(({ text, final }) => [text, final])).toEqual([
      ['Zut', false],
      ['', false],
    ])
  })

  it('keeps what could not be sent, and sends it again', async () => {
    let broken = true
    const { typist, sent, settle } = made(() => broken)
    typist.input('Perdu')
    typist.end()
    await settle()
    expect(typist.lines[0]?.state).toBe('failed')
    broken = false
    const [line] = typist.lines
    if (line) typist.again(line)
    await settle()
    expect(typist.lines[0]?.state).toBe('sent')
    expect(sent.map(({ text }) => text)).toEqual(['Perdu'])
  })

  it('corrects a line by its id', async () => {
    const { typist, sent, settle } = made()
    typist.input('Bonjuor')
    typist.end()
    await settle()
    const [line] = typist.lines
    if (line) await typist.correct(line, 'Bonjour')
    expect(sent.at(-1)).toMatchObject({ text: 'Bonjour', id: 'id1', final: true })
    expect(typist.lines.map(({ text }) => text)).toEqual(['Bonjour'])
  })

  it('waits where they come too fast, and sends the lines in their order', async () => {
    let busy = true
    const { typist, sent, pass, settle } = made(({ final }) => final && busy, new NotTaken('rate_limited', 1_000))
    typist.input('Un')
    typist.end()
    typist.input('Deux')
    typist.end()
    await settle()
    expect(typist.lines.map(({ state }) => state)).toEqual(['sending', 'sending'])
    busy = false
    await pass(1_000)
    expect(typist.lines.map(({ state }) => state)).toEqual(['sent', 'sent'])
    expect(sent.map(({ text }) => text)).toEqual(['Un', 'Deux'])
  })

  it('gives up after some tries, and says why', async () => {
    const { typist, pass, settle } = made(() => true, new NotTaken('rate_limited', 1_000))
    typist.input('Un')
    typist.end()
    await settle()
    for (let second = 0; second < 4; second++) await pass(1_000)
    expect(typist.lines[0]).toMatchObject({ state: 'failed', problem: 'rate_limited' })
  })

  it('does not try again by itself what will not be taken', async () => {
    const { typist, settle } = made(() => true, new NotTaken('unknown_language'))
    typist.input('Un')
    typist.end()
    await settle()
    expect(typist.lines[0]).toMatchObject({ state: 'failed', problem: 'unknown_language' })
  })

  it('has the lines that were sent before, to be corrected', async () => {
    const { typist, sent, settle } = made()
    typist.recall([{ id: 'x', lang: 'fr', text: 'Bonjuor' }])
    const [line] = typist.lines
    if (!line) throw new Error('no line')
    await typist.correct(line, 'Bonjour')
    await settle()
    expect(sent).toMatchObject([{ id: 'x', text: 'Bonjour', final: true }])
    typist.recall([{ id: 'y', lang: 'fr', text: 'again' }])
    expect(typist.lines.map(({ text }) => text)).toEqual(['Bonjour'])
  })
})
