import { keepToken } from './kept-token'
import { takeToken } from './link-token'
import { logIn } from './login'

/**
 * For a page of one room that goes by its link's token itself: keeps it for reloads of this tab. The other pages of this
 * browser know it by cookie; here it goes on without, should that fail.
 *
 * @param token of the address, unless it was given otherwise
 * @returns '' where there is none
 */
export function openRoom(room: string, token = takeToken()): string {
  if (token === '') return ''
  keepToken(sessionStorage, room, token)
  void logIn({ token }).catch(() => undefined)
  return token
}
