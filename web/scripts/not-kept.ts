import type { Vite } from 'vitest/node'

/**
 * Modules that name others by a pattern are compiled in each run of the tests: what they became holds the files of that
 * day. Vitest sees to that itself, but for a pattern with its type.
 */
export function notKept(): Vite.Plugin {
  return {
    name: 'streamer-not-kept',
    configureVitest({ experimental_defineCacheKeyGenerator }) {
      experimental_defineCacheKeyGenerator(({ sourceCode }) => (sourceCode.includes('import.meta.glob') ? false : null))
    },
  }
}
