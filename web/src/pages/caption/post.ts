import { type Answer, NotTaken, type Sent } from './typing'

/** Sends a text to the room. Rejects with {@link NotTaken} where it was refused. `lost`: we may not, or no longer. */
export async function post(address: string, { at, ...rest }: Sent, lost: () => void): Promise<Answer> {
  const response = await fetch(address, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
    body: JSON.stringify(at === null ? rest : { ...rest, at }),
    signal: AbortSignal.timeout(8_000),
  })
  if (response.status === 401 || response.status === 403) lost()
  if (!response.ok) throw await refusal(response)
  return (await response.json()) as Answer
}

async function refusal(response: Response): Promise<NotTaken> {
  const body = (await response.json().catch(() => null)) as { error?: { code?: unknown } } | null
  const code = body?.error?.code
  const after_s = Number(response.headers.get('Retry-After') ?? NaN)
  // A problem that passes by itself is tried again; another one when the captioner says so.
  const passes = response.status === 429 || response.status === 503
  const wait_ms = Number.isFinite(after_s) ? after_s * 1000 : 2_000
  return new NotTaken(typeof code === 'string' ? code : '', passes ? wait_ms : null)
}
