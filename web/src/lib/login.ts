/** Logging in: a link's token or the admin password becomes a cookie that no script sees. */

import type { Schema } from './api/types'

/** The answer of `/api/v1/me` and of a login; `page` is the role's own page, as a path. */
export type Me = Omit<Schema['MeView'], 'actions'> & { actions: string[] }

export type LoginProblem = 'refused' | 'not_in_force' | 'wrong_password' | 'too_many' | 'unreachable'

export class LoginError extends Error {
  constructor(readonly problem: LoginProblem) {
    super(problem)
  }
}

type Fetch = (input: string, init: RequestInit) => Promise<Response>

/** @throws LoginError */
export async function logIn(
  credentials: { token: string } | { password: string },
  fetcher: Fetch = (input, init) => fetch(input, init),
): Promise<Me> {
  let response: Response
  try {
    response = await fetcher('/api/v1/login', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
      body: JSON.stringify(credentials),
      // Whoever goes right on to another page is logged in there.
      keepalive: true,
    })
  } catch {
    throw new LoginError('unreachable')
  }
  if (response.ok) return (await response.json()) as Me
  if (response.status === 429) throw new LoginError('too_many')
  if (response.status >= 500) throw new LoginError('unreachable')
  throw new LoginError('password' in credentials ? 'wrong_password' : await refusal(response))
}

async function refusal(response: Response): Promise<LoginProblem> {
  try {
    const { error } = (await response.json()) as { error?: { code?: string } }
    return error?.code === 'grant_not_in_force' ? 'not_in_force' : 'refused'
  } catch {
    return 'refused'
  }
}

/**
 * Where to go after a login, as a path on this site. The studio publishes with the token itself, for encoders need it too,
 * so it goes along, in the fragment, which no server sees.
 */
export function pageAfter(me: Me, token: string): string {
  const page = me.page.startsWith('/') && !me.page.startsWith('//') ? me.page : '/'
  return token && page.startsWith('/studio/') ? `${page}#token=${encodeURIComponent(token)}` : page
}
