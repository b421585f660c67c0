/** Reports of this page while it sends, once a second: by them alarms name their cause. Pure. */

import type { SocketSchema } from '$lib/api/types'
import type { CaptureProblem } from '$lib/capture/problems'
import type { OutgoingStats } from '$lib/whip/stats'

export type InputReport = SocketSchema['InputReport']
export type SourceReport = Partial<SocketSchema['SourceReport']>

export interface InputFacts {
  name: InputReport['name']
  /** Somebody wants it. */
  wanted: boolean
  open: boolean
  /** The device delivers nothing. */
  muted: boolean
  /** A person has turned it off. */
  off?: boolean
  problem: CaptureProblem | 'unplugged' | ''
  device: string
  chosen?: boolean
  levelDb?: number | null
  voice?: boolean
  suppression?: boolean | null
}

/** Null of an input that nobody wants. */
export function inputReport(facts: InputFacts): InputReport | null {
  if (!facts.wanted && !facts.open) return null
  return {
    name: facts.name,
    state: stateOf(facts),
    device: facts.device.slice(0, 200),
    chosen: facts.chosen ?? false,
    level_db: facts.levelDb ?? null,
    voice: facts.voice ?? false,
    suppression: facts.suppression ?? null,
  }
}

function stateOf({ open, off, muted, problem }: InputFacts): NonNullable<InputReport['state']> {
  if (problem === 'denied') return 'denied'
  if (problem === 'unplugged' || problem === 'not_found') return 'unplugged'
  if (problem !== '') return 'ended'
  if (!open || off) return 'off'
  return muted ? 'muted' : 'live'
}

export interface PageFacts {
  source: string
  inputs: readonly (InputReport | null)[]
  hidden: boolean
  battery: { level: number; charging: boolean } | null
  stats: OutgoingStats | null
}

export function sourceReport({ source, inputs, hidden, battery, stats }: PageFacts): SourceReport {
  const sent = stats === null ? null : (stats.videoBitrate ?? 0) + (stats.audioBitrate ?? 0)
  return {
    source,
    inputs: inputs.filter((input) => input !== null),
    visibility: hidden ? 'hidden' : 'visible',
    battery: battery?.level ?? null,
    charging: battery?.charging ?? null,
    sent_kbps: sent ? sent / 1000 : null,
    available_kbps: stats?.availableBitrate == null ? null : stats.availableBitrate / 1000,
  }
}
