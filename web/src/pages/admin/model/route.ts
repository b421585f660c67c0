/** Addresses inside the page: `/admin/{view}[/{id}][?filters]`. Pure. */

export const VIEWS = [
  'sessions',
  'events',
  'imports',
  'templates',
  'rooms',
  'venues',
  'grants',
  'recordings',
  'retention',
  'count',
  'audit',
  'account',
] as const
export type View = (typeof VIEWS)[number]

export interface Route {
  view: View
  /** Of what is open; `new` for what is being made; '' for the list. */
  id: string
  query: Readonly<Record<string, string>>
}

/** Every view's properties: the id that is open in it, and its filters. */
export type ViewProps = Pick<Route, 'id' | 'query'>

export const NEW = 'new'

/** @param fallback where an address leads that names no view that is known here */
export function readRoute(pathname: string, search: string, fallback: View): Route {
  const [, view, ...rest] = pathname.replace(/^\/+|\/+$/g, '').split('/')
  const known = VIEWS.find((one) => one === view)
  if (known === undefined) return { view: fallback, id: '', query: {} }
  return { view: known, id: decoded(rest.join('/')), query: Object.fromEntries(new URLSearchParams(search)) }
}

export function routePath({ view, id = '', query = {} }: Partial<Route> & { view: View }): string {
  const filled = Object.entries(query).filter(([, value]) => value !== '')
  const search = new URLSearchParams(filled).toString()
  return `/admin/${view}${id && `/${encodeURIComponent(id)}`}${search && `?${search}`}`
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return ''
  }
}
