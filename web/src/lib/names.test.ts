import { describe, expect, it } from 'vitest'

const SOURCES = import.meta.glob<string>(['../**/*.ts', '../**/*.svelte'], {
  eager: true,
  query: '?raw',
  import: 'default',
})

/** Pictures and coined words: a name is the field's term for what it stands for. */
const FORBIDDEN = new Set(
  `acting bell bells book deciding deed deeds desk door doors doomed endurance face floor gate gathering guest guests
  house keeping lane lanes ledger letter letters outlet paper papers porter punching sliver stroke strokes`.split(
    /\s+/,
  ),
)

const wordsOf = (name: string) => name.split(/[-._]|(?<=[a-z\d])(?=[A-Z])/).map((word) => word.toLowerCase())
const forbidden = (name: string) => wordsOf(name).some((word) => FORBIDDEN.has(word))

const exported = (text: string) =>
  [...text.matchAll(/^\s*export (?:abstract |async )?(?:class|const|enum|function|interface|type) (\w+)/gm)].map(
    ([, name]) => name!,
  )

describe('names', () => {
  it('are no pictures', () => {
    const found = Object.entries(SOURCES).flatMap(([path, text]) => [
      ...path.split('/').filter(forbidden),
      ...exported(text).filter(forbidden),
    ])
    expect(found).toEqual([])
  })

  it('of classes are each used once', () => {
    const classes = Object.values(SOURCES).flatMap((text) =>
      [...text.matchAll(/^export (?:abstract )?class (\w+)/gm)].map(([, name]) => name!),
    )
    expect(classes.length).toBeGreaterThan(50)
    expect(classes.filter((name, index) => classes.indexOf(name) !== index)).toEqual([])
  })
})
