import { takeToken, tokenOf } from './link-token'
import type { LoginProblem } from './login'

/**
 * For pages that go by the login: takes the token out of the address and logs in by it, before the page asks for
 * anything. Another link that is opened in the same tab changes only the fragment: the page is loaded anew.
 *
 * @returns why it did not open; null also where the address has none
 */
export async function enterByLink(): Promise<LoginProblem | null> {
  const token = takeToken()
  window.addEventListener('hashchange', () => tokenOf(location) !== '' && location.reload())
  if (token === '') return null
  // Most people come without one: it costs them nothing before the first picture.
  const { logIn, LoginError } = await import('./login')
  try {
    await logIn({ token })
    return null
  } catch (error) {
    return error instanceof LoginError ? error.problem : 'unreachable'
  }
}
