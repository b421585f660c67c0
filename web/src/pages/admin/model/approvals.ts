/** The question to a speaker about the cut of their replay. Pure. */
import { openEnum, type Read, readText, readTime, readYes, shape } from '$lib/api/read'
import type { Schema } from '$lib/api/types'

export type ApprovalState = Schema['ApprovalState']

export type Approval = Read<typeof readApproval>
export const readApproval = shape<Schema['ApprovalView']>()(({ field, needed }) => ({
  state: needed('state', openEnum<ApprovalState>()),
  label: field('label', readText),
  publish: field('publish', readYes),
  note: field('note', readText),
  asked_ms: field('asked', readTime),
  answered_ms: field('answered', readTime),
  /** Null: the link is over. */
  expires_ms: field('expires', readTime),
}))

export const DAYS = [3, 7, 14, 30] as const
const DAY_MS = 86_400_000

export const approvalBody = (label: string, days: number, publish: boolean, now_ms: number) => ({
  label: label.trim(),
  expires: new Date(now_ms + days * DAY_MS).toISOString(),
  publish,
})
