import { describe, expect, it } from 'vitest'
import { en, fr } from '../locales/calls'
import { openCall } from './calls'

const line = (id: string, at_ms: number, text: string) => ({ id, at_ms, text, label: 'Inès', to: 'crew' }) as never
const none = new Map<string, unknown>()

describe('a ready sentence', () => {
  const said = [line('1', 1_000, 'Hello'), line('2', 2_000, fr['call.restart'])]
  it('rings in whatever language it was said, until it is acknowledged in either', () => {
    expect(openCall(said, 3_000, none)?.call).toBe('restart')
    expect(openCall([...said, line('3', 3_000, 'On it')], 4_000, none)?.call).toBe('restart')
    expect(openCall([...said, line('3', 3_000, en['heard.restart'])], 4_000, none)).toBeNull()
    expect(openCall([...said, line('3', 3_000, en['heard.call_me'])], 4_000, none)?.call).toBe('restart')
  })
  it('rings again where it is said again, the newest first', () => {
    const again = [...said, line('3', 3_000, en['heard.restart']), line('4', 4_000, en['call.restart'])]
    expect(openCall(again, 5_000, none)?.line.id).toBe('4')
    expect(openCall([...again, line('5', 5_000, en['call.call_me'])], 6_000, none)?.call).toBe('call_me')
  })
  it('does not ring for who said it, nor for ever', () => {
    expect(openCall(said, 3_000, new Map([['2', null]]))).toBeNull()
    expect(openCall(said, 2_000 + 5 * 3600_000, none)).toBeNull()
  })
})
