import { describe, expect, it } from 'vitest'
import type { SourceInfo } from './room'
import { readProgrammeSound, settingsOf } from './source-settings'

describe('settings of sources', () => {
  it('begin with main, there or not, and have defaults from an older server', () => {
    const sources = {
      spare: { up: true, gain_db: -6, mute: true, mono: true, kind: 'camera' },
      mixer: { up: true, kind: 'hologram' },
    } as unknown as Record<string, SourceInfo>
    const plain = { gainDb: 0, mute: false, mono: false, kind: null }
    expect(settingsOf(sources)).toEqual([
      { name: 'main', up: false, ...plain },
      { name: 'mixer', up: true, ...plain },
      { name: 'spare', up: true, gainDb: -6, mute: true, mono: true, kind: 'camera' },
    ])
  })

  it('are told beside what goes out', () => {
    const sound = { momentary: -18.2, true_peak: -3 }
    expect(readProgrammeSound({ sound })).toEqual({ lufs: -18.2, peakDb: -3, incomingLufs: null })
    const incoming = { momentary: -24, true_peak: -9 }
    expect(readProgrammeSound({ sound, incoming })?.incomingLufs).toBe(-24)
    expect(readProgrammeSound({ sound: { momentary: null } })).toBeNull()
    expect(readProgrammeSound(undefined)).toBeNull()
  })
})
