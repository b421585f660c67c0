/** Logging in: a link's token or the admin password becomes a cookie that no script sees. */

import { ask, type Fetch } from './api/client'
import { openEnumOr, type Read, readRecord, readText, readTextOrNull, readTexts, shape } from './api/read'
import type { Schema } from './api/types'

/** The answer of `/api/v1/me` and of a login; `page` is the role's own page, as a path. */
export type Me = Read<typeof readRights>
const readRights = shape<Schema['MeView']>()(({ field }) => ({
  grant: field('grant', readText),
  role: field('role', openEnumOr<Schema['Role']>('viewer')),
  label: field('label', readText),
  room: field('room', readTextOrNull),
  venue: field('venue', readTextOrNull),
  event: field('event', readTextOrNull),
  session: field('session', readTextOrNull),
  rooms: field('rooms', readTexts),
  actions: field('actions', readTexts),
  ends: field('ends', readTextOrNull),
  page: field('page', (value) => readTextOrNull(value) ?? '/'),
}))

/** Of a right that an older server does not tell, somebody has none. */
export const readMe = (told: unknown): Me => readRights(readRecord(told)) as Me

export type LoginProblem = 'refused' | 'not_in_force' | 'wrong_password' | 'too_many' | 'unreachable'

export class LoginError extends Error {
  constructor(readonly problem: LoginProblem) {
    super(problem)
  }
}

/** @throws LoginError */
export async function logIn(credentials: { token: string } | { password: string }, fetcher?: Fetch): Promise<Me> {
  const result = await ask('/api/v1/login', {
    method: 'POST',
    json: credentials,
    // It is sent to its end, even if the page is left at once.
    keepalive: true,
    timeout_ms: null,
    ...(fetcher && { fetcher }),
  })
  if (result.ok) return readMe(result.data)
  const { status, error } = result
  if (status === 429) throw new LoginError('too_many')
  if (status === 0 || status === 200 || status >= 500) throw new LoginError('unreachable')
  if ('password' in credentials) throw new LoginError('wrong_password')
  throw new LoginError(error.code === 'grant_not_in_force' ? 'not_in_force' : 'refused')
}

/**
 * Where to go after a login, as a path on this site. The studio publishes with the token itself, for encoders need it too,
 * so it goes along, in the fragment, which no server sees.
 */
export function pageAfter(me: Me, token: string): string {
  const page = me.page.startsWith('/') && !me.page.startsWith('//') ? me.page : '/'
  return token && page.startsWith('/studio/') ? `${page}#token=${encodeURIComponent(token)}` : page
}
