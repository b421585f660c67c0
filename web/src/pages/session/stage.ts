import { isRunning, isStreamed, type Session } from '$lib/protocol/day'
import type { RoomStatus } from '$lib/protocol/room'

/** The subject of the session's page. */
export type Stage =
  | 'cancelled'
  /** It takes place at the venue, in no room: there is nothing to see here. */
  | 'venue'
  /** A countdown. */
  | 'before'
  /** Its time has come, and nobody has begun yet. */
  | 'due'
  | 'live'
  /** On air, and on hold. */
  | 'hold'
  /** It takes place, in the room only. */
  | 'notStreamed'
  /** It ended a moment ago; the replay is being put together. */
  | 'processing'
  | 'replay'
  /** Somebody looks at it first. */
  | 'review'
  /** There is none and there will be none: not recorded, or never published. */
  | 'never'
  /** It was not, or no longer is, published. */
  | 'unpublished'

/** From the end until a replay that is missing is missing for another reason than that it has just ended. */
const PROCESSING_MS = 90_000

/**
 * @param room the room's public status, where it is known: it tells of holds, and what nobody may be told otherwise
 * @param replayUrl of a recording that is not published but may be seen by who asks
 */
export function stageOf(
  session: Session,
  room: Pick<RoomStatus, 'hold' | 'word'> | null,
  replayUrl: string | null,
  now_ms: number,
): Stage {
  if (session.state === 'cancelled') return 'cancelled'
  if (session.room === '') return 'venue'
  if (isRunning(session)) {
    const streamed = isStreamed(session) ?? room?.word !== 'not_streamed'
    if (!streamed) return 'notStreamed'
    return room?.hold ? 'hold' : 'live'
  }
  if (session.state !== 'ended') return now_ms < session.shownStart_ms ? 'before' : 'due'
  if (session.replayUrl ?? replayUrl) return 'replay'
  if (session.replay === 'never' || session.doNotRecord === 'yes') return 'never'
  if (session.replay === 'after_review' || session.doNotRecord === 'ask' || session.doNotStream === 'ask')
    return 'review'
  return now_ms - (session.ended_ms ?? session.shownEnd_ms) < PROCESSING_MS ? 'processing' : 'unpublished'
}

/** Between two questions about the session, [least, most] ms. */
export function paceOf(session: Session | null, stage: Stage, now_ms: number): readonly [number, number] {
  switch (stage) {
    case 'before': {
      const left_ms = (session?.shownStart_ms ?? now_ms) - now_ms
      return left_ms > 3_600_000 ? [60_000, 90_000] : left_ms > 300_000 ? [20_000, 30_000] : [4_000, 7_000]
    }
    case 'due':
      return [3_000, 6_000]
    case 'live':
    case 'hold':
    case 'notStreamed':
      return [8_000, 14_000]
    case 'processing':
      return [2_000, 4_000]
    case 'review':
    case 'unpublished':
      return [45_000, 75_000]
    case 'replay':
    case 'never':
    case 'cancelled':
    case 'venue':
      return [120_000, 180_000]
  }
}
