/** One's own data by `/api/v1/me/data`: whose it is, the cookie tells, or the key where there is none. */

export type Outcome = 'done' | 'nothing' | 'failed'
const LIMIT_MS = 20_000

async function ask(method: 'GET' | 'DELETE', participant: string | null): Promise<Response | Outcome> {
  try {
    const response = await fetch('/api/v1/me/data', {
      method,
      signal: AbortSignal.timeout(LIMIT_MS),
      headers: { Accept: 'application/json', ...(participant !== null && { 'Streamer-Participant': participant }) },
    })
    if (response.status === 401) return 'nothing'
    return response.ok ? response : 'failed'
  } catch {
    return 'failed'
  }
}

/** As a file of the browser's downloads. */
export async function download(participant: string | null): Promise<Outcome> {
  const answer = await ask('GET', participant)
  if (typeof answer === 'string') return answer
  const address = URL.createObjectURL(new Blob([await answer.text()], { type: 'application/json' }))
  const link = Object.assign(document.createElement('a'), { href: address, download: 'my-data.json' })
  link.click()
  // The download has its own hold on it by then.
  setTimeout(() => URL.revokeObjectURL(address), 10_000)
  return 'done'
}

export async function erase(participant: string | null): Promise<Outcome> {
  const answer = await ask('DELETE', participant)
  return typeof answer === 'string' ? answer : 'done'
}
