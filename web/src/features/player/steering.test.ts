import Hls, { type ErrorData } from 'hls.js'
import { afterEach, expect, it, vi } from 'vitest'
import { steer } from './steering'

const MANIFEST = 'https://stream.example.org/live/steering.json'
const clone = (name: string) => ({ 'BASE-ID': '.', ID: name, 'URI-REPLACEMENT': { HOST: name } })

/** An hls.js that only asks: `ask` gives the address that a request for `address` goes to, `fail` tells of its error. */
async function steered(answer: () => Promise<Response>) {
  vi.stubGlobal('location', { href: 'https://stream.example.org/watch/hall' })
  vi.stubGlobal('fetch', answer)
  const config: { xhrSetup?: (xhr: XMLHttpRequest, address: string) => void } = {}
  let hear: (event: string, data: ErrorData) => void = () => undefined
  const on = (_event: string, handler: typeof hear) => (hear = handler)
  await steer({ config, on } as unknown as Hls, MANIFEST)
  return {
    ask(address: string): string {
      let asked = address
      const open = (_method: string, url: string) => (asked = url)
      config.xhrSetup?.({ open } as unknown as XMLHttpRequest, address)
      return new URL(asked).hostname
    },
    fail(code: number, more: object = {}): void {
      const data = { type: Hls.ErrorTypes.NETWORK_ERROR, details: 'levelLoadError', response: { code }, ...more }
      const stats = { loading: { start: performance.now() } }
      hear('error', { stats, ...data } as unknown as ErrorData)
    },
  }
}

const both = async () =>
  Response.json({ VERSION: 1, 'PATHWAY-CLONES': [clone('edge2.example.org'), clone('edge1.example.org')] })
const PART = 'https://stream.example.org/live/hall/b/k/v720/3.0.m4s'

afterEach(() => vi.unstubAllGlobals())

it('goes to the next edge when one fails, in the order that it was told, and round', async () => {
  const hls = await steered(both)
  expect(hls.ask(PART)).toBe('stream.example.org')
  hls.fail(0)
  expect(hls.ask(PART)).toBe('edge2.example.org')
  hls.fail(0, { details: 'fragLoadTimeOut', response: undefined })
  // Names in an answer of that edge have its host.
  expect(hls.ask(PART.replace('stream', 'edge2'))).toBe('edge1.example.org')
  hls.fail(503)
  expect(hls.ask(PART)).toBe('stream.example.org')
})

it('moves once where sound and picture fail together, and not for what every edge refuses', async () => {
  const hls = await steered(both)
  const stats = { loading: { start: performance.now() - 1 } }
  hls.fail(0, { stats })
  hls.fail(0, { stats })
  hls.fail(404)
  hls.fail(429)
  hls.fail(0, { type: Hls.ErrorTypes.MEDIA_ERROR })
  expect(hls.ask(PART)).toBe('edge2.example.org')
  expect(hls.ask('https://elsewhere.example.org/x.m4s')).toBe('elsewhere.example.org')
})

it('stays where it is without a manifest', async () => {
  const hls = await steered(() => Promise.reject(new Error('refused')))
  hls.fail(0)
  expect(hls.ask(PART)).toBe('stream.example.org')
})
