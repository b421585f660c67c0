/**
 * Ready sentences on the crew's line: one rings full screen in the room's studio until somebody there acknowledges it, which is
 * a line, too. Whoever has an older page reads both as plain lines. Pure.
 */

import type { CrewMessage } from '$features/talk/model/crew-messages'
import { en, fr } from '../locales/calls'

export const CALLS = ['microphone_off', 'call_me', 'restart'] as const
export type Call = (typeof CALLS)[number]

/** Nobody waits longer for an answer. */
const LONGEST_MS = 4 * 3600_000

const known = (prefix: 'call' | 'heard'): ReadonlyMap<string, Call> =>
  new Map(CALLS.flatMap((call) => [en, fr].map((words) => [words[`${prefix}.${call}`], call] as const)))
const SAID = known('call')
const HEARD = known('heard')

/** The newest ready sentence that nobody has acknowledged since; null: none. */
export function openCall(
  lines: readonly CrewMessage[],
  now_ms: number,
  own: ReadonlyMap<string, unknown>,
): { call: Call; line: CrewMessage } | null {
  const heard = new Set<Call>()
  for (const line of [...lines].reverse()) {
    if (now_ms - line.at_ms > LONGEST_MS) return null
    const answered = HEARD.get(line.text)
    if (answered) heard.add(answered)
    const call = SAID.get(line.text)
    if (call && !heard.has(call) && !own.has(line.id)) return { call, line }
  }
  return null
}
