import { ask } from '$lib/api/client'
import type { Schema } from '$lib/api/types'
import { type Answer, NotTaken, type Sent } from './typing'

const USUAL_WAIT_MS = 2_000

/** Sends a text to the room. Rejects with {@link NotTaken} where it was refused. `lost`: we may not, or no longer. */
export async function post(address: string, { at, ...rest }: Sent, lost: () => void): Promise<Answer> {
  const result = await ask<Schema['CaptionAnswer']>(address, {
    method: 'POST',
    json: at === null ? rest : { ...rest, at },
  })
  if (result.ok) return { id: result.data.id ?? '', text: result.data.text ?? '' }
  const { status, error, retryAfter_ms } = result
  if (status === 0) throw new Error(error.code)
  if (status === 401 || status === 403) lost()
  // A problem that passes by itself is tried again; another one when the captioner says so.
  const passes = status === 429 || status === 503
  throw new NotTaken(error.code, passes ? (retryAfter_ms ?? USUAL_WAIT_MS) : null)
}
