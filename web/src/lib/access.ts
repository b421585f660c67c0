/** The token of a grant's link, which opens this page. Pure over a storage and an address. */

import { tokenOf } from './link-token'

export interface KeyStore {
  getItem(key: string): string | null
  setItem(key: string, value: string): void
  removeItem(key: string): void
}

const key = (room: string) => `streamer.token.${room}`

/** `#first=…` of an address: the one-time link of a server that has no admin yet. '' where there is none. */
export function firstInHash(hash: string): string {
  return new URLSearchParams(hash.replace(/^#/, '')).get('first') ?? ''
}

/** Reads a pasted text: a whole link, its fragment, or the bare token. */
export function readPasted(text: string): { token: string; room: string } | null {
  const pasted = text.trim()
  const address = /^https?:\/\//i.test(pasted) ? tryUrl(pasted) : null
  if (address) {
    const token = tokenOf(address)
    const room = /\/studio\/([^/]+)\/?$/.exec(address.pathname)?.[1] ?? ''
    return token ? { token, room: decodeURIComponent(room) } : null
  }
  const bare = pasted.includes('token=')
    ? tokenOf({ hash: pasted.slice(pasted.indexOf('token=')), search: '' })
    : pasted
  return /^[\w.~+/=-]{8,512}$/.test(bare) ? { token: bare, room: '' } : null
}

function tryUrl(text: string): URL | null {
  try {
    return new URL(text)
  } catch {
    return null
  }
}

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
