import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { SERVERS, shellOf } from './dev-server.ts'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
// The server's table: tests/unit/golden/test_outside.py holds the list to it.
const paths = (JSON.parse(readFileSync(here('../../tests/golden/data/addresses.json'), 'utf8')) as string[])
  .filter((line) => line.startsWith('GET '))
  .map((line) => line.slice('GET '.length).replaceAll(/\{\w+\}/g, 'x'))
const shells = readdirSync(here('..')).filter((name) => name.endsWith('.html'))
const handedOn = (path: string) => new RegExp(SERVERS).test(path)

describe('the server’s addresses', () => {
  it('lead to all shells and to no others', () => {
    const found = new Set(paths.map(shellOf).filter((shell) => shell !== null))
    expect([...found].map((shell) => `${shell}.html`).sort()).toEqual(shells.sort())
  })

  it.each(paths.filter((path) => shellOf(path) === null))('%s is handed on', (path) => {
    expect(handedOn(path)).toBe(true)
  })

  it('are handed on where they only begin as a page’s', () => {
    const beside = ['/join/x/poster', '/join/x/qr.x', '/watch/x/qr.svg', '/api/v1/docs.json', '/socket.io/?EIO=4']
    expect(beside.filter((path) => shellOf(path) !== null || !handedOn(path))).toEqual([])
  })
})

it.each([
  '/src/pages/watch/main.ts',
  '/@vite/client',
  '/node_modules/.vite/deps/x.js',
  '/watch.html',
  '/hall.html?a=b',
])('%s stays with Vite', (path) => {
  expect([shellOf(path), handedOn(path)]).toEqual([null, false])
})
