import { describe, expect, it } from 'vitest'
import { inputReport, sourceReport, type InputFacts } from './reports'

const live: InputFacts = { name: 'microphone', wanted: true, open: true, muted: false, problem: '', device: 'Lapel' }
const state = (facts: Partial<InputFacts>) => inputReport({ ...live, ...facts })?.state

describe('a page reports', () => {
  it('why an input delivers nothing', () => {
    expect(state({})).toBe('live')
    expect(state({ muted: true })).toBe('muted')
    expect(state({ off: true, muted: true })).toBe('off')
    expect(state({ open: false, problem: 'unplugged' })).toBe('unplugged')
    expect(state({ open: false, problem: 'denied' })).toBe('denied')
    expect(state({ open: false, problem: 'busy' })).toBe('ended')
    expect(state({ open: false })).toBe('off')
    expect(inputReport({ ...live, wanted: false, open: false })).toBeNull()
  })

  it('itself, its power and its way', () => {
    const facts = { source: 'main', inputs: [null, inputReport(live)], hidden: true, battery: null, stats: null }
    expect(sourceReport(facts)).toMatchObject({ visibility: 'hidden', battery: null, sent_kbps: null })
    expect(sourceReport(facts).inputs).toHaveLength(1)
    const told = sourceReport({ ...facts, battery: { level: 0.2, charging: false } })
    expect(told).toMatchObject({ battery: 0.2, charging: false })
  })
})
