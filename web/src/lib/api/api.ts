import { ask, bodyOf, everyItem, type Fetch, type Query, type Result } from './client'
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
  all<T>(path: string, query: Query, read: Reader<T>): Promise<T[] | null> {
    return everyItem(async (address) => bodyOf(await this.get(address)), path, query, read).catch(() => null)
  }

  private send<T>(method: string, path: string, json?: unknown, id?: string): Promise<Result<T>> {
    const { token, fetcher } = this
    return ask<T>(path, { method, json, token, fetcher, cache: 'no-store', ...(id !== undefined && { id }) })
  }
}
