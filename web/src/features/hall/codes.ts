import { isRecord, readError, readText } from '$lib/protocol/day'

export interface HallCode {
  code: string
  place: string
  link: string
  /** A `data:` address. */
  qr: string
}

export class Refused extends Error {}

function readCode(item: unknown): HallCode | null {
  if (!isRecord(item)) return null
  const [code, place, link, qr] = ['code', 'place', 'link', 'qr'].map((name) => readText(item[name]))
  return code && place && link && qr ? { code, place, link, qr } : null
}

/** A room's codes, and speakers' links for its stage. Each method rejects with {@link Refused}, which carries the code. */
export class HallApi {
  /** @param token '' leaves it to the login cookie */
  constructor(
    private readonly room: string,
    private readonly token: string,
    private readonly fetcher: typeof fetch = (input, init) => fetch(input, init),
  ) {}

  async list(): Promise<HallCode[]> {
    const body = await this.ask('GET', this.codes())
    const items = isRecord(body) && Array.isArray(body['items']) ? body['items'] : []
    return items.map(readCode).filter((code) => code !== null)
  }

  /** @param place '' is the hall */
  async make(place: string): Promise<void> {
    await this.ask('POST', this.codes(), place === '' ? {} : { place })
  }

  async takeBack(code: string): Promise<void> {
    await this.ask('DELETE', `${this.codes()}/${encodeURIComponent(code)}`)
  }

  /** @returns the link, told this once */
  async speaker(label: string): Promise<string> {
    const body = await this.ask('POST', '/grants', { role: 'speaker', room: this.room, label })
    return isRecord(body) ? readText(body['link']) : ''
  }

  private codes(): string {
    return `/rooms/${encodeURIComponent(this.room)}/hall-codes`
  }

  private async ask(method: string, path: string, body?: object): Promise<unknown> {
    const headers: Record<string, string> = { Accept: 'application/json' }
    if (this.token !== '') headers['Authorization'] = `Bearer ${this.token}`
    if (body !== undefined) headers['Content-Type'] = 'application/json'
    const response = await this.fetcher(`/api/v1${path}`, {
      method,
      headers,
      signal: AbortSignal.timeout(8_000),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }).catch(() => null)
    if (response === null) throw new Refused('unreachable')
    const answer: unknown = response.status === 204 ? null : await response.json().catch(() => null)
    if (!response.ok) throw new Refused(readError(answer)?.code ?? `status_${response.status}`)
    return answer
  }
}
