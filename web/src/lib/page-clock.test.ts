import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ownZone } from '$lib/time/times'

const kept = new Map<string, string>()
const storage = {
  getItem: (key: string) => kept.get(key) ?? null,
  setItem: (key: string, value: string) => kept.set(key, value),
}

async function fresh() {
  vi.resetModules()
  return import('./page-clock.svelte')
}

beforeEach(() => {
  kept.clear()
  vi.stubGlobal('localStorage', storage)
})
afterEach(() => vi.unstubAllGlobals())

describe('the clock of a page', () => {
  it('is the venue’s until the reader chooses theirs, and stays as chosen', async () => {
    const { pageClock } = await fresh()
    pageClock.venue = 'Indian/Reunion'
    expect([pageClock.zone, pageClock.zoneOf('Europe/Paris')]).toEqual(['Indian/Reunion', 'Europe/Paris'])
    pageClock.choose(true)
    expect([pageClock.zone, pageClock.zoneOf('Europe/Paris')]).toEqual([undefined, undefined])
    const again = (await fresh()).pageClock
    expect(again.mine).toBe(true)
    again.choose(false)
    expect((await fresh()).pageClock.mine).toBe(false)
  })

  it('is nothing to choose where both show the same', async () => {
    const { clocksDiffer } = await fresh()
    expect(clocksDiffer(ownZone(), Date.now())).toBe(false)
    expect(clocksDiffer(undefined, Date.now())).toBe(false)
    const far = ['Pacific/Kiritimati', 'Pacific/Pago_Pago'].filter((zone) => clocksDiffer(zone, Date.now()))
    expect(far.length).toBeGreaterThan(0)
  })
})
