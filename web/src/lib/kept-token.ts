import { takeToken, tokenOf } from './link-token'

/**
 * For pages that go by their link alone: its token, kept under `key` for reloads of this tab. A login in other tabs is left
 * alone. Another link that is opened in the same tab changes only the fragment: the page is loaded anew.
 */
export function keptLinkToken(key: string): string {
  window.addEventListener('hashchange', () => tokenOf(location) !== '' && location.reload())
  const given = takeToken()
  try {
    if (given === '') return sessionStorage.getItem(key) ?? ''
    sessionStorage.setItem(key, given)
  } catch {
    // Without storage a reload needs the link again.
  }
  return given
}
