import { expect, it } from 'vitest'
import { clientName } from './client-name'

it('names clients as people do', () => {
  expect(clientName('Mozilla/5.0 (X11) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36')).toBe(
    'Chrome 156',
  )
  expect(clientName('Mozilla/5.0 AppleWebKit/537.36 Chrome/156.0.0.0 Safari/537.36 Edg/156.0')).toBe('Edge 156')
  expect(clientName('Mozilla/5.0 (Macintosh) AppleWebKit/605.1 (KHTML) Version/26.0 Safari/605.1')).toBe('Safari 26')
  expect(clientName('Mozilla/5.0 (X11; rv:150.0) Gecko/20100101 Firefox/150.0')).toBe('Firefox 150')
  expect(clientName('my-encoder')).toBe('my-encoder')
})
