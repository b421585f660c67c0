/** Response headers of a WHIP server, as values. Pure. */

/** One ICE server as `RTCPeerConnection` takes it. */
export interface IceServer {
  urls: string[]
  username?: string
  credential?: string
}

/**
 * ICE servers out of `Link` headers (RFC 9725 section 4.6): `<turn:…>; rel="ice-server"; username="…"; credential="…"`.
 * Links of another relation and what cannot be read are left out.
 */
export function iceServersFromLink(header: string | null): IceServer[] {
  if (!header) return []
  const servers: IceServer[] = []
  for (const link of header.matchAll(/<([^>]*)>((?:\s*;\s*[\w-]+\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^",;\s]+))*)/g)) {
    const parameters = new Map<string, string>()
    for (const item of (link[2] ?? '').matchAll(/;\s*([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^",;\s]+))/g)) {
      parameters.set((item[1] ?? '').toLowerCase(), (item[2] ?? item[3] ?? '').replace(/\\(.)/g, '$1'))
    }
    const url = link[1] ?? ''
    if (parameters.get('rel') !== 'ice-server' || !/^(stun|stuns|turn|turns):/.test(url)) continue
    const server: IceServer = { urls: [url] }
    const username = parameters.get('username')
    const credential = parameters.get('credential')
    if (username !== undefined) server.username = username
    if (credential !== undefined) server.credential = credential
    servers.push(server)
  }
  return servers
}

/** `Retry-After` in ms from now, at most a minute; null where it is missing or unreadable. */
export function retryAfterMs(header: string | null, nowMs: number): number | null {
  if (!header) return null
  const seconds = /^\s*\d+\s*$/.test(header) ? Number(header) * 1000 : Date.parse(header) - nowMs
  if (Number.isNaN(seconds)) return null
  return Math.min(Math.max(seconds, 0), 60_000)
}

/** The `code` of an error body `{"error": {"code", …}}`, or '' where the body has another form. */
export function errorCode(body: string): string {
  try {
    const parsed: unknown = JSON.parse(body)
    if (typeof parsed === 'object' && parsed !== null && 'error' in parsed) {
      const error = parsed.error
      if (typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string') {
        return error.code
      }
    }
  } catch {
    // A proxy's HTML page, or nothing.
  }
  return ''
}
