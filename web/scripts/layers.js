import { dirname, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

const SOURCE = fileURLToPath(new URL('../src', import.meta.url))

/** The parts of a path below `src`; null outside. */
function partsOf(path) {
  const below = relative(SOURCE, path)
  return below.startsWith('..') ? null : below.split(sep)
}

function target(specifier, importer) {
  if (specifier.startsWith('$lib/') || specifier.startsWith('$features/')) return specifier.slice(1).split('/')
  return specifier.startsWith('.') ? partsOf(resolve(dirname(importer), specifier)) : null
}

/** Why `from` may not import `to`; '' where it may. */
function objection([fromLayer, from], [toLayer, to]) {
  if (fromLayer === 'pages') return toLayer === 'pages' && from !== to ? 'a page imports no other page' : ''
  if (toLayer === 'pages') return `${fromLayer}/ imports no page`
  if (fromLayer === 'lib') return toLayer === 'features' ? 'lib/ imports no feature' : ''
  return toLayer === 'features' && from !== to ? 'a feature imports no other feature' : ''
}

/** `pages/<page>` import `features/<feature>` and `lib/`, features import `lib/`, and nothing goes the other way. */
export const layers = {
  meta: { type: 'problem', schema: [] },
  create(context) {
    const here = partsOf(context.filename)
    if (here === null) return {}
    const check = ({ source }) => {
      const there = typeof source?.value === 'string' ? target(source.value, context.filename) : null
      const message = there && objection(here, there)
      if (message) context.report({ node: source, message: `${source.value}: ${message}.` })
    }
    return {
      ImportDeclaration: check,
      ImportExpression: check,
      TSImportType: check,
      ExportNamedDeclaration: check,
      ExportAllDeclaration: check,
    }
  },
}
