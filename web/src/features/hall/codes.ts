import { Api } from '$lib/api/api'
import { bodyOf, type Fetch, pageOf } from '$lib/api/client'
import { type Read, readText, readTextOrNull, shape } from '$lib/api/read'
import type { Schema } from '$lib/api/types'

export type HallCode = Read<typeof readCode>
export const readCode = shape<Schema['HallCodeView']>()(({ needed }) => ({
  code: needed('code', readTextOrNull),
  place: needed('place', readTextOrNull),
  link: needed('link', readTextOrNull),
  /** A `data:` address. */
  qr: needed('qr', (value) => (readText(value).startsWith('data:image/') ? readText(value) : null)),
}))
const readGrant = shape<Schema['GrantCreated']>()(({ field }) => ({ link: field('link', readText) }))

/** A room's codes, and speakers' links for its stage. Each method rejects with `ApiFailure`. */
export class HallApi {
  private readonly api: Api
  private readonly codes: string

  /** @param token '' leaves it to the login cookie */
  constructor(
    private readonly room: string,
    token: string,
    fetcher?: Fetch,
  ) {
    this.api = new Api(token, fetcher)
    this.codes = `/api/v1/rooms/${encodeURIComponent(room)}/hall-codes`
  }

  async list(): Promise<HallCode[]> {
    return pageOf(bodyOf(await this.api.get(this.codes)), readCode).items
  }

  /** @param place '' is the hall */
  async make(place: string): Promise<void> {
    bodyOf(await this.api.post(this.codes, place === '' ? {} : { place }))
  }

  async takeBack(code: string): Promise<void> {
    bodyOf(await this.api.remove(`${this.codes}/${encodeURIComponent(code)}`))
  }

  /** @returns the link, told this once */
  async speaker(label: string): Promise<string> {
    const grant = { role: 'speaker', room: this.room, label }
    return readGrant(bodyOf(await this.api.post('/api/v1/grants', grant)))?.link ?? ''
  }
}
