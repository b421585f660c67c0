import { describe, expect, it } from 'vitest'
import { Api } from '$lib/api/api'
import { readReadiness, Rehearsal, wrongLines } from './rehearsal.svelte'

const line = (name: string, state: string) => ({ name, state, at: null, by: null, details: {} })
const told = (...lines: object[]) => ({
  room: 'turing',
  session: 'a',
  due: true,
  state: lines.some((one) => 'state' in one && one.state === 'no') ? 'not_ready' : 'ready',
  lines,
})

describe('a rehearsal', () => {
  it('reads the lines that this page knows', () => {
    const read = readReadiness(told(line('level', 'yes'), line('of_later', 'no'), line('upload', 'odd')))
    expect(read?.lines.map(({ name, state }) => `${name} ${state}`)).toEqual(['level yes', 'upload unknown'])
  })

  it('says once that a session began unready, and blocks nothing', async () => {
    let answer: object = told(line('level', 'no'), line('disk', 'yes'))
    const asked: unknown[] = []
    const api = new Api('', async (_path, init) => {
      asked.push(init?.body)
      return new Response(JSON.stringify(answer), { headers: { 'Content-Type': 'application/json' } })
    })
    const rehearsal = new Rehearsal(api, 'turing')
    await rehearsal.seen('focus')
    expect(asked).toEqual(['{"focus":true}'])
    expect(wrongLines(rehearsal.readiness)).toEqual(['level'])
    rehearsal.running('')
    expect(rehearsal.startedWith).toEqual([])
    rehearsal.running('a')
    expect(rehearsal.startedWith).toEqual(['level'])
    answer = told(line('level', 'yes'))
    await rehearsal.seen('framing')
    rehearsal.startedWith = []
    rehearsal.running('a')
    expect(rehearsal.startedWith).toEqual([])
    rehearsal.running('b')
    expect(rehearsal.startedWith).toEqual([])
  })
})
