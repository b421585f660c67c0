/** For tests: readers are held to the answers of servers of other versions. */
import { expect } from 'vitest'

/**
 * @param full every field of the message as the server's own types have it
 * @param needed fields without which there is nothing to show
 * @param words enums: each may have a value that is not known here
 */
export function survivesVersions<S extends object>(
  read: (body: unknown) => unknown,
  full: S,
  needed: readonly (keyof S)[],
  words: readonly (keyof S)[] = [],
): void {
  const whole = read(full)
  expect(whole).not.toBeNull()
  for (const name of Object.keys(full) as (keyof S)[]) {
    const { [name]: _, ...older } = full
    expect(read(older) === null, `older, without ${String(name)}`).toBe(needed.includes(name))
  }
  expect(read({ ...full, added_since: { any: 'thing' } }), 'newer, with a field more').toEqual(whole)
  for (const name of words) {
    expect(read({ ...full, [name]: 'of_a_newer_server' }), `newer, with a word more for ${String(name)}`).not.toBeNull()
  }
}
