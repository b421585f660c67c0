import { describe, expect, it } from 'vitest'

const SOURCES = import.meta.glob<string>(['../**/*.{ts,svelte,css}', '!**/api/*.d.ts', '!**/names.test.ts'], {
  eager: true,
  query: '?raw',
  import: 'default',
})

/** Pictures and coined words: a name is the field's term for what it stands for. */
const FORBIDDEN = new Set(
  `acting bell bells book deciding deed deeds desk door doors doomed endurance face floor gate gathering guest guests
  hole house keeping lane lanes ledger letter letters outlet paper papers porter punching sliver strange strokes`.split(
    /\s+/,
  ),
)

const wordsOf = (name: string) => name.split(/[-._]|(?<=[a-z\d])(?=[A-Z])/).map((word) => word.toLowerCase())
const forbidden = (name: string) => wordsOf(name).some((word) => FORBIDDEN.has(word))

const COMMENT = /\/\*[^]*?\*\/|<!--[^]*?-->|(?<=^|\s)\/\/.*/gm

/** The names in a module's script, without its texts and the language's own names. */
function namesIn(path: string, text: string): string[] {
  const script = path.endsWith('.svelte')
    ? [...text.matchAll(/<script[^>]*>([^]*?)<\/script>/g)].map(([, code]) => code).join('\n')
    : text
  const code = script.replace(COMMENT, '').replace(/'(?:[^'\\\n]|\\.)*'|Math\.floor/g, '')
  return path.endsWith('.css') || /\/locales\//.test(path) ? [] : (code.match(/[A-Za-z]\w+/g) ?? [])
}

describe('names', () => {
  it('are no pictures', () => {
    const found = Object.entries(SOURCES).flatMap(([path, text]) => {
      const names = [...path.split('/'), ...namesIn(path, text)].filter(forbidden)
      return [...new Set(names)].map((name) => `${path}: ${name}`)
    })
    expect(found).toEqual([])
    expect(namesIn('a.ts', "const letterOf = 'desk' // door")).toContain('letterOf')
    expect(forbidden('letterOf')).toBe(true)
  })

  it('of classes are each used once', () => {
    const classes = Object.values(SOURCES).flatMap((text) =>
      [...text.matchAll(/^export (?:abstract )?class (\w+)/gm)].map(([, name]) => name!),
    )
    expect(classes.length).toBeGreaterThan(50)
    expect(classes.filter((name, index) => classes.indexOf(name) !== index)).toEqual([])
  })
})

describe('comments', () => {
  it('say what something is, and begin with no question', () => {
    const question = /^[/*<!\s-]*(What|Who|Whose|Whoever|Whatever|Not one|From where|How)\b/
    const found = Object.entries(SOURCES).flatMap(([path, text]) =>
      (text.match(COMMENT) ?? []).filter((comment) => question.test(comment)).map((comment) => `${path}: ${comment}`),
    )
    expect(found).toEqual([])
    expect(question.test('/** What it is. */')).toBe(true)
  })
})

it('has no module over 500 lines', () => {
  const long = Object.entries(SOURCES).filter(([, text]) => text.split('\n').length > 501)
  expect(long.map(([path]) => path)).toEqual([])
})
