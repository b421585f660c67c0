/** The token in the address of a link. In the first script of most pages: small. */

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
