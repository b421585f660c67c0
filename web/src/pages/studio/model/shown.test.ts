import { describe, expect, it } from 'vitest'
import type { RoomInfo } from './room'
import { afterEnd, afterTakeover, shownNow } from './shown'

const room = (more: Partial<RoomInfo> = {}): RoomInfo => ({
  id: 'r',
  name: 'R',
  state: 'live',
  sources: { main: { up: true } },
  crew: null,
  onProgramme: 'main',
  ...more,
})
const WITH_SPARE = { main: { up: true }, spare: { up: true } }

describe('what viewers see', () => {
  it('once this page stops: the slate, the spare, or what they see already', () => {
    expect(afterEnd(room(), 'main')).toEqual({ kind: 'slate' })
    expect(afterEnd(room({ sources: WITH_SPARE }), 'main')).toEqual({ kind: 'other', source: 'spare' })
    expect(afterEnd(room({ sources: WITH_SPARE }), 'spare')).toEqual({ kind: 'still_other', source: 'main' })
    const onSpare = room({ sources: WITH_SPARE, onProgramme: 'spare' })
    expect(afterEnd(onSpare, 'main')).toEqual({ kind: 'still_other', source: 'spare' })
    expect(afterEnd(onSpare, 'spare')).toEqual({ kind: 'slate' })
    expect(afterEnd(room({ state: 'slate' }), 'main')).toEqual({ kind: 'still_slate' })
    expect(afterEnd(null, 'main')).toEqual({ kind: 'slate' })
  })

  it('once this page takes over: its picture only where the programme takes it', () => {
    expect(afterTakeover(room(), 'main')).toEqual({ kind: 'this_page' })
    expect(afterTakeover(room({ state: 'slate' }), 'main')).toEqual({ kind: 'still_slate' })
    expect(afterTakeover(room({ sources: WITH_SPARE }), 'spare')).toEqual({ kind: 'still_other', source: 'main' })
    // The room comes back from the spare by itself.
    expect(afterTakeover(room({ sources: WITH_SPARE, onProgramme: 'spare' }), 'main')).toEqual({ kind: 'this_page' })
  })

  it('after the end', () => {
    expect(shownNow(room({ state: 'slate' }))).toEqual({ kind: 'still_slate' })
    expect(shownNow(room({ onProgramme: 'spare' }))).toEqual({ kind: 'still_other', source: 'spare' })
  })
})
