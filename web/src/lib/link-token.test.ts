import { afterEach, describe, expect, it, vi } from 'vitest'
import { reloadOnNewLink, takeToken, tokenOf, withoutToken } from './link-token'

/** A tab at an address; keeps what its address bar showed. */
function tab(address: string) {
  const shown: string[] = []
  return {
    location: new URL(address, 'https://tv.example'),
    history: {
      state: 7,
      replaceState: (_state: unknown, _: string, url?: string | URL | null) => shown.push(String(url)),
    },
    shown,
  }
}

afterEach(() => vi.unstubAllGlobals())

describe('a link’s token', () => {
  it('is in its fragment, or in its query, as some programs drop fragments', () => {
    expect(tokenOf({ hash: '#token=g.s', search: '?token=z' })).toBe('g.s')
    expect(tokenOf({ hash: '', search: '?view=hall&token=z' })).toBe('z')
    expect(tokenOf({ hash: '#top', search: '' })).toBe('')
  })

  it('is taken out of the address, and all else stays there', () => {
    const opened = tab('/studio/b12?source=spare#token=g.s')
    expect(takeToken(opened)).toBe('g.s')
    expect(opened.shown).toEqual(['/studio/b12?source=spare'])
    expect(withoutToken(new URL('https://tv.example/watch/a?token=z&t=8m20s#chat'))).toBe('/watch/a?t=8m20s#chat')
    expect(withoutToken(new URL('https://tv.example/stage/a?token=z#token=x&view=hall'))).toBe('/stage/a#view=hall')
  })

  it('that is not there leaves the address as it is', () => {
    const opened = tab('/watch/a?t=500#chat')
    expect(takeToken(opened)).toBe('')
    expect(opened.shown).toEqual([])
  })

  it('of another link that is opened in the same tab loads the page anew', () => {
    const shown = { hash: '#chat', search: '', reload: vi.fn() }
    const page = new EventTarget()
    vi.stubGlobal('window', page)
    vi.stubGlobal('location', shown)
    reloadOnNewLink()
    page.dispatchEvent(new Event('hashchange'))
    expect(shown.reload).not.toHaveBeenCalled()
    shown.hash = '#token=g.s'
    page.dispatchEvent(new Event('hashchange'))
    expect(shown.reload).toHaveBeenCalledOnce()
  })
})
