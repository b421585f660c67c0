import { ask, everyPage, type Fetch, readList, type Result } from './client'
import type { Reader } from './read'
import type { JsonObject } from './types'

/** Requests of one page with its link's token or, without one, the login cookie. Never rejects. */
export class Api {
  constructor(
    private readonly token: string,
    private readonly fetcher: Fetch = (input, init) => fetch(input, init),
  ) {}

  get<T = JsonObject>(path: string): Promise<Result<T>> {
    return this.send<T>('GET', path)
  }

  /** @param id of a tap: where no answer comes it is sent again */
  post<T = JsonObject>(path: string, json: unknown, id?: string): Promise<Result<T>> {
    return this.send<T>('POST', path, json, id)
  }

  patch<T = JsonObject>(path: string, json: unknown, id?: string): Promise<Result<T>> {
    return this.send<T>('PATCH', path, json, id)
  }

  remove(path: string, id?: string): Promise<Result> {
    return this.send('DELETE', path, undefined, id)
  }

  /** All of a list; null where one does not come. */
  async all<T>(path: string, query: Record<string, string>, read: Reader<T>): Promise<T[] | null> {
    const page = async (cursor: string | null) => {
      const asked = new URLSearchParams({ ...query, limit: '200', ...(cursor !== null && { cursor }) })
      const result = await this.get(`${path}?${asked}`)
      const list = result.ok ? readList(result.data, read) : null
      if (list === null) throw new Error('no list')
      return list
    }
    return everyPage(page).catch(() => null)
  }

  private send<T>(method: string, path: string, json?: unknown, id?: string): Promise<Result<T>> {
    const { token, fetcher } = this
    return ask<T>(path, { method, json, token, fetcher, cache: 'no-store', ...(id !== undefined && { id }) })
  }
}
