import { Api } from '$lib/api/api'
import { type Fetch, type Result } from '$lib/api/client'
import type { JsonObject, Schema, Told } from '$lib/api/types'

/** `qr`: a `data:` address. */
export type HallCode = Pick<Schema['HallCodeView'], 'code' | 'place' | 'link' | 'qr'>

export class Refused extends Error {}

const isWhole = (code: Told<HallCode> | null): code is HallCode =>
  Boolean(code?.code && code.place && code.link && code.qr?.startsWith('data:image/'))

/** A room's codes, and speakers' links for its stage. Each method rejects with {@link Refused}, which carries the code. */
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
    const { items } = await answer(this.api.get<Schema['HallCodeList']>(this.codes))
    return items?.filter(isWhole) ?? []
  }

  /** @param place '' is the hall */
  async make(place: string): Promise<void> {
    await answer(this.api.post(this.codes, place === '' ? {} : { place }))
  }

  async takeBack(code: string): Promise<void> {
    await answer(this.api.remove(`${this.codes}/${encodeURIComponent(code)}`))
  }

  /** @returns the link, told this once */
  async speaker(label: string): Promise<string> {
    const grant = { role: 'speaker', room: this.room, label }
    return (await answer(this.api.post<Schema['GrantCreated']>('/api/v1/grants', grant))).link ?? ''
  }
}

async function answer<T = JsonObject>(asked: Promise<Result<T>>): Promise<Told<T>> {
  const result = await asked
  if (!result.ok) throw new Refused(result.error.code)
  return result.data
}
