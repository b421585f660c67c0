import { afterEach, expect, it } from 'vitest'
import { OnlyTab } from './only-tab'

const open: OnlyTab[] = []
function tab(name: string, sends: boolean | (() => boolean)): OnlyTab {
  const made = new OnlyTab(name, typeof sends === 'boolean' ? () => sends : sends)
  open.push(made)
  return made
}
afterEach(() => open.splice(0).forEach((one) => one.close()))

it('a duplicated tab finds the other one that sends, and a reloaded one does not find itself', async () => {
  let sending = true
  tab('b12.main', () => sending)
  const other = tab('b12.main', false)
  const spare = tab('b12.spare', false)
  expect(await Promise.all([other.alone(), spare.alone()])).toEqual([false, true])
  // The page that is being left has ended what it sent.
  sending = false
  expect(await other.alone()).toBe(true)
})
