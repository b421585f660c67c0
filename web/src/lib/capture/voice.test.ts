import { describe, expect, it } from 'vitest'
import { VoiceWatch } from './voice'

/** Levels every 50 ms for so many seconds. */
function heard(level: (step: number) => number, seconds = 3): VoiceWatch {
  const watch = new VoiceWatch()
  for (let step = 0; step < seconds * 20; step++) watch.take(level(step), step * 50)
  return watch
}
const syllables = (step: number) => (step % 6 < 4 ? -22 : -58)

describe('somebody speaks', () => {
  it('by syllables, over silence and over a ventilator', () => {
    expect(heard(syllables).voice).toBe(true)
    expect(heard(syllables).peakDb).toBe(-22)
    expect(heard((step) => Math.max(-50, syllables(step))).voice).toBe(true)
  })

  it('not by silence, noise, a tone or a knock', () => {
    expect(new VoiceWatch().voice).toBe(false)
    expect(heard(() => -60).voice).toBe(false)
    expect(heard((step) => -40 + (step % 3)).voice).toBe(false)
    expect(heard(() => -12).voice).toBe(false)
    expect(heard((step) => (step === 55 ? -10 : -60)).voice).toBe(false)
  })

  it('no more a second after the last word', () => {
    const watch = heard(syllables)
    for (let step = 0; step < 22; step++) watch.take(-58, 3000 + step * 50)
    expect(watch.voice).toBe(false)
    watch.reset()
    expect(watch.peakDb).toBeNull()
  })
})
