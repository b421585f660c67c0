/** REST, with the link's token or, without one, the login cookie. Never rejects. */

import { readError, type ApiError } from '$lib/protocol/day'

export type Result = { ok: true; data: unknown } | { ok: false; status: number; error: ApiError }

type Fetch = (input: string, init: RequestInit) => Promise<Response>

const TIME_LIMIT_MS = 8_000

export class Api {
  constructor(
    private readonly token: string,
    private readonly fetcher: Fetch = (input, init) => fetch(input, init),
    private readonly limit_ms = TIME_LIMIT_MS,
  ) {}

  get(path: string): Promise<Result> {
    return this.ask(path, { method: 'GET' })
  }

  post(path: string, body: Record<string, unknown>): Promise<Result> {
    return this.ask(path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    })
  }

  private async ask(path: string, init: RequestInit): Promise<Result> {
    let response: Response
    try {
      response = await this.fetcher(path, {
        ...init,
        headers: {
          Accept: 'application/json',
          ...authorization(this.token),
          ...(init.headers as Record<string, string>),
        },
        cache: 'no-store',
        credentials: this.token ? 'omit' : 'same-origin',
        signal: AbortSignal.timeout(this.limit_ms),
      })
    } catch {
      return { ok: false, status: 0, error: { code: 'unreachable', message: '', details: null } }
    }
    const body: unknown = await response.json().catch(() => null)
    if (response.ok) return { ok: true, data: body }
    const error = readError(body) ?? { code: `http_${response.status}`, message: '', details: null }
    return { ok: false, status: response.status, error }
  }
}

export function authorization(token: string): Record<string, string> {
  return token ? { Authorization: `Bearer ${token}` } : {}
}
