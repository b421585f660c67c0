/** Tokens of links, kept for reloads of a tab. */
import { reloadOnNewLink, takeToken } from './link-token'

export interface KeyStore {
  getItem(key: string): string | null
  setItem(key: string, value: string): void
  removeItem(key: string): void
}

const key = (room: string) => `streamer.token.${room}`

export function keepToken(store: KeyStore, room: string, token: string): void {
  try {
    store.setItem(key(room), token)
  } catch {
    // Without storage a reload asks for the link again.
  }
}

export function keptToken(store: KeyStore, room: string): string {
  try {
    return store.getItem(key(room)) ?? ''
  } catch {
    return ''
  }
}

export function forgetToken(store: KeyStore, room: string): void {
  try {
    store.removeItem(key(room))
  } catch {
    // Nothing was kept.
  }
}

/** For pages that go by their link alone: its token, kept under `key`. A login in other tabs is left alone. */
export function tokenOfTab(key: string): string {
  reloadOnNewLink()
  const given = takeToken()
  try {
    if (given === '') return sessionStorage.getItem(key) ?? ''
    sessionStorage.setItem(key, given)
  } catch {
    // Without storage a reload needs the link again.
  }
  return given
}
