import { expect, it } from 'vitest'
import type { Catalogue } from './messages'

const SOURCES = import.meta.glob<string>(['../../**/*.ts', '../../**/*.svelte', '!**/*.test.ts'], {
  eager: true,
  query: '?raw',
  import: 'default',
})
const MODULES = import.meta.glob<{ en?: Catalogue }>(['../../**/locales/**/*.ts', '!**/*.test.ts'], {
  eager: true,
})

// Without the catalogues themselves: what is left of their files may still build keys.
const code = Object.values(SOURCES)
  .map((text) => text.replace(/^export const (en|fr)\b.*?^\}/gms, ''))
  .join('\n')
const words = new Set(code.match(/[\w-]+(\.[\w-]+)*/g))
/** Of `error.${code}`, and of `known('note', code)`: what stands before and after. */
const built = [
  ...[...code.matchAll(/`([\w.-]*)\$\{[^`]*?\}([\w.-]*)`/g)].map(([, before = '', after = '']) => [before, after]),
  ...[...code.matchAll(/\bknown\('(\w+)'/g)].map(([, before]) => [`${before}.`, '']),
].filter(([before, after]) => before || after)

const isUsed = (key: string) =>
  words.has(key) || built.some(([before, after]) => key.startsWith(before!) && key.endsWith(after!))

it.each(Object.entries(MODULES).filter(([, { en }]) => en))('all of %s is said somewhere', (_path, { en = {} }) => {
  expect(Object.keys(en).filter((key) => !isUsed(key))).toEqual([])
})
