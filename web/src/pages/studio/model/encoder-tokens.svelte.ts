/** Tokens that publish in this room and do nothing else: what an encoder holds instead of the technician's own rights. */

import type { Api } from '$lib/api/api'
import type { KeyStore } from '$lib/kept-token'
import { isRecord, readText, readTextOrNull, readTime, shape } from '$lib/api/read'
import type { Schema } from '$lib/api/types'
import type { Me } from '$lib/login'

const readTold = shape<Schema['GrantView']>()(({ field, needed }) => ({
  id: needed('id', readTextOrNull),
  role: field('role', readText),
  label: field('label', readText),
  created_ms: field('created', readTime),
}))
export type EncoderToken = NonNullable<ReturnType<typeof readTold>>

/** Where a new token reaches: as far as the technician's own grant does about this room. */
export function scopeOf(me: Pick<Me, 'session' | 'event'>, room: string): Record<string, string> {
  if (me.session !== null) return { session: me.session }
  return me.event !== null ? { event: me.event } : { room }
}

export class EncoderTokens {
  /** Those that are in force, the newest first; null: not read yet. */
  list = $state.raw<readonly EncoderToken[] | null>(null)
  /** The token that was made in this tab; a server tells it once. '' for none. */
  made = $state('')
  busy = $state(false)
  /** Why the last step failed, as a code; '' otherwise. */
  problem = $state('')

  private readonly key: string
  /** The number of the newest request for the list: the answers of earlier ones are old. */
  private asked = 0

  constructor(
    private readonly api: Api,
    private readonly room: string,
    private readonly store: KeyStore,
  ) {
    this.key = `streamer.encoder.${room}`
    this.made = this.kept().token
  }

  async read(me: Pick<Me, 'session' | 'event'>): Promise<void> {
    const [asked, made] = [++this.asked, this.made]
    const tokens = await this.api.all('/api/v1/grants', scopeOf(me, this.room), readTold)
    if (tokens === null || asked !== this.asked) return
    this.list = tokens.filter(({ role }) => role === 'publisher').reverse()
    // It was revoked elsewhere. A list that was asked for before a token was made does not have it.
    if (made !== '' && made === this.made && !this.list.some(({ id }) => id === this.kept().id)) this.keep('', '')
  }

  async make(me: Pick<Me, 'session' | 'event'>, label: string): Promise<void> {
    await this.step(me, async () => {
      const body = { role: 'publisher', ...scopeOf(me, this.room), label }
      const result = await this.api.post<Schema['GrantCreated']>('/api/v1/grants', body)
      if (!result.ok) return result.error.code
      this.keep(result.data.id ?? '', result.data.token ?? '')
      return ''
    })
  }

  /** Closes what it has on air, too. */
  async revoke(me: Pick<Me, 'session' | 'event'>, id: string): Promise<void> {
    await this.step(me, async () => {
      const result = await this.api.remove(`/api/v1/grants/${encodeURIComponent(id)}`)
      return result.ok || result.status === 404 ? '' : result.error.code
    })
  }

  private async step(me: Pick<Me, 'session' | 'event'>, what: () => Promise<string>): Promise<void> {
    this.busy = true
    this.asked += 1
    this.problem = await what()
    await this.read(me)
    this.busy = false
  }

  private kept(): { id: string; token: string } {
    try {
      const kept: unknown = JSON.parse(this.store.getItem(this.key) ?? '{}')
      return isRecord(kept) ? { id: readText(kept['id']), token: readText(kept['token']) } : { id: '', token: '' }
    } catch {
      return { id: '', token: '' }
    }
  }

  private keep(id: string, token: string): void {
    this.made = token
    try {
      if (token === '') this.store.removeItem(this.key)
      else this.store.setItem(this.key, JSON.stringify({ id, token }))
    } catch {
      // Without storage it is shown until the page is left.
    }
  }
}
