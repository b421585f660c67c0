import { getJson, linkQuery } from '$lib/api'
import { listOf, readRecord } from '$lib/api/read'
import { type ChatMessage, readMessage } from './items'

/** The messages of a session in a stretch of media time, as its replay has them; none where it has no replay. */
export async function readEarlier(session: string, from_ms: number, to_ms: number): Promise<readonly ChatMessage[]> {
  const stretch = { from_ms: String(Math.floor(from_ms)), to_ms: String(Math.ceil(to_ms)), kinds: 'chat' }
  const query = new URLSearchParams({ ...stretch, ...linkQuery() })
  const told = await getJson(`/sessions/${encodeURIComponent(session)}/timeline?${query}`)
  return listOf(readMessage)(readRecord(told)['chat'])
}
