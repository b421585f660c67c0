import Hls, { type ErrorData } from 'hls.js'
import { listOf, readRecord, readTextOrNull } from '$lib/api/read'
import { statusOf } from './hls-config'

/**
 * Content steering (RFC 8216bis, section 7), loaded where the multivariant playlist names a steering manifest. hls.js has a
 * controller for it that first tries all levels and all retries where it is; here the next request goes elsewhere.
 *
 * Hosts of edges, in the server's order; the page's own comes first. A request that fails sends all later ones to the next.
 */
export async function steer(hls: Hls, manifest: string): Promise<void> {
  const hosts = await hostsOf(manifest)
  let at = 0
  let moved_ms = 0
  hls.config.xhrSetup = (xhr, address) => {
    const url = new URL(address, location.href)
    const host = hosts[at]
    if (host === undefined || !hosts.includes(url.hostname)) return
    url.hostname = host
    xhr.open('GET', url.href, true)
  }
  hls.on(Hls.Events.ERROR, (_event, data) => {
    const asked_ms = (data.stats ?? data.part?.stats ?? data.frag?.stats)?.loading.start ?? 0
    // Sound and picture fail together: the second failure tells nothing of where the first one led.
    if (!isOfEdge(data) || asked_ms < moved_ms) return
    at = (at + 1) % hosts.length
    moved_ms = performance.now()
  })
}

/** The edge has no answer, or none of the server's: what the server refuses (404, 429) it refuses everywhere. */
function isOfEdge(data: ErrorData): boolean {
  const status = statusOf(data.response)
  const timeout = /timeOut$/i.test(data.details)
  return data.type === Hls.ErrorTypes.NETWORK_ERROR && (timeout || status === 0 || status >= 500)
}

const readHost = (clone: unknown) => readTextOrNull(readRecord(readRecord(clone)['URI-REPLACEMENT'])['HOST'])

/** Hosts that carry the same addresses; only the manifest's own where it cannot be read. */
async function hostsOf(manifest: string): Promise<string[]> {
  const own = new URL(manifest, location.href).hostname
  try {
    const told = readRecord(await (await fetch(manifest)).json())
    return [own, ...listOf(readHost)(told['PATHWAY-CLONES'])]
  } catch {
    return [own]
  }
}
