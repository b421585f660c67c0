/** The token in the address of a link. In the first script of most pages: small. */
import type { LoginProblem } from './login'

type Address = Pick<Location, 'pathname' | 'search' | 'hash'>

/** The token of a link: in its fragment, or in its query, as some programs drop fragments. '' where there is none. */
export function tokenOf({ hash, search }: Pick<Address, 'hash' | 'search'>): string {
  const token = new URLSearchParams(hash.replace(/^#/, '')).get('token')
  return token ?? new URLSearchParams(search).get('token') ?? ''
}

/** The address without its token. */
export function withoutToken({ pathname, search, hash }: Address): string {
  const left = (part: string, sign: string) => {
    const query = new URLSearchParams(part.slice(1))
    if (!query.has('token')) return part
    query.delete('token')
    return query.size > 0 ? `${sign}${query.toString()}` : ''
  }
  return pathname + left(search, '?') + left(hash, '#')
}

/** Takes a link's token out of the address, at once: an address bar is seen, photographed and shared. '' for none. */
export function takeToken(
  page: { location: Address; history: Pick<History, 'state' | 'replaceState'> } = window,
): string {
  const token = tokenOf(page.location)
  if (token !== '') page.history.replaceState(page.history.state, '', withoutToken(page.location))
  return token
}

/** `#first=…` of an address: the one-time link of a server that has no admin yet. '' where there is none. */
export function firstInHash(hash: string): string {
  return new URLSearchParams(hash.replace(/^#/, '')).get('first') ?? ''
}

/** Reads a pasted text: a whole link, its fragment, or the bare token. */
export function readPasted(text: string): { token: string; room: string } | null {
  const pasted = text.trim()
  const address = /^https?:\/\//i.test(pasted) ? tryUrl(pasted) : null
  if (address) {
    const token = tokenOf(address)
    const room = /\/studio\/([^/]+)\/?$/.exec(address.pathname)?.[1] ?? ''
    return token ? { token, room: decodeURIComponent(room) } : null
  }
  const bare = pasted.includes('token=')
    ? tokenOf({ hash: pasted.slice(pasted.indexOf('token=')), search: '' })
    : pasted
  return /^[\w.~+/=-]{8,512}$/.test(bare) ? { token: bare, room: '' } : null
}

function tryUrl(text: string): URL | null {
  try {
    return new URL(text)
  } catch {
    return null
  }
}

/** Another link that is opened in the same tab changes only the fragment: the page is loaded anew. */
export function reloadOnNewLink(): void {
  window.addEventListener('hashchange', () => tokenOf(location) !== '' && location.reload())
}

/**
 * For pages that go by the login: takes the token out of the address and logs in by it, before the page asks for anything.
 *
 * @returns why it did not open; null also where the address has none
 */
export async function enterByLink(): Promise<LoginProblem | null> {
  reloadOnNewLink()
  const token = takeToken()
  if (token === '') return null
  // Most people come without one: it costs them nothing before the first picture.
  const { logIn, LoginError } = await import('./login')
  try {
    await logIn({ token })
    return null
  } catch (error) {
    return error instanceof LoginError ? error.problem : 'unreachable'
  }
}
