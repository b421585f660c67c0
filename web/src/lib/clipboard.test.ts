import { afterEach, expect, it, vi } from 'vitest'
import { toClipboard } from './clipboard'

afterEach(() => vi.unstubAllGlobals())

it('copies a text', async () => {
  const writeText = vi.fn(() => Promise.resolve())
  vi.stubGlobal('navigator', { clipboard: { writeText } })
  const select = vi.fn()
  await expect(toClipboard('a', select)).resolves.toBe(true)
  expect(writeText).toHaveBeenCalledWith('a')
  expect(select).not.toHaveBeenCalled()
})

it('copies what is shown on plain HTTP, and says where that is not possible', async () => {
  vi.stubGlobal('navigator', {})
  const order: string[] = []
  vi.stubGlobal('document', { execCommand: (command: string) => order.push(command) > 0 })
  await expect(toClipboard('a', () => order.push('select'))).resolves.toBe(true)
  expect(order).toEqual(['select', 'copy'])
  await expect(toClipboard('a')).resolves.toBe(false)
  vi.stubGlobal('document', { execCommand: () => false })
  await expect(toClipboard('a', () => undefined)).resolves.toBe(false)
})
