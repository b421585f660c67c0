/** Texts of strangers, as the pages treat them: always text. */

const ADDRESS = /\bhttps?:\/\/[^\s<>"'`{}|\\^]+/giu
/** Characters that end a sentence rather than an address. */
const AFTER = /[.,;:!?)\]»”’]+$/u

export interface Piece {
  text: string
  /** The same words, as an address that may be opened. */
  href: string | null
}

/**
 * A text with the addresses in it told apart. Only `http` and `https`, shown as they were written, but for a name of other than
 * Latin letters: that is shown as it is looked up (Punycode), since it may be drawn like another.
 */
export function pieces(text: string): Piece[] {
  const found: Piece[] = []
  let from = 0
  for (const match of text.matchAll(ADDRESS)) {
    const written = match[0].replace(AFTER, '')
    const href = safeAddress(written)
    if (href === null) continue
    if (match.index > from) found.push({ text: text.slice(from, match.index), href: null })
    found.push({ text: shownAddress(written), href })
    from = match.index + written.length
  }
  if (from < text.length || found.length === 0) found.push({ text: text.slice(from), href: null })
  return found
}

function shownAddress(written: string): string {
  const [, before = '', host = '', after = ''] = /^(https?:\/\/)([^/?#:]*)(.*)$/isu.exec(written) ?? []
  return /^[\x21-\x7e]*$/.test(host) ? written : before + new URL(written).hostname + after
}

function safeAddress(written: string): string | null {
  try {
    const { protocol, href, username, password, hostname } = new URL(written)
    // A name before an @ makes one host look like another.
    if (username || password || !hostname.includes('.')) return null
    return protocol === 'http:' || protocol === 'https:' ? href : null
  } catch {
    return null
  }
}

/** Characters as people count them, more or less: a pair of surrogates is one. */
export const lengthOf = (text: string): number => [...text.trim()].length

/** The first of it, for a quote. */
export function shortened(text: string, most = 80): string {
  const characters = [...text]
  return characters.length > most ? `${characters.slice(0, most - 1).join('')}…` : text
}

/** The name that was typed, where the server has only added the number that tells namesakes apart; else the server's. */
export function withoutNumber(taken: string, typed: string): string {
  const name = typed.trim()
  return taken.startsWith(`${name} `) && /^\d+$/.test(taken.slice(name.length + 1)) ? name : taken
}
