/**
 * A list of troubles that does not move under a hand: while somebody points at it or has the focus in it, what is new comes to
 * its end and what is over stays, marked. Pure.
 */

export interface Shelved<T> {
  item: T
  /** It is over; it stays until the hand has gone. */
  over: boolean
}

export class Shelf<T> {
  private shown: readonly Shelved<T>[] = []

  constructor(private readonly keyOf: (item: T) => string) {}

  /** @param wanted the items in their right order */
  put(wanted: readonly T[], held: boolean): readonly Shelved<T>[] {
    if (!held) return (this.shown = wanted.map((item) => ({ item, over: false })))
    const now = new Map(wanted.map((item) => [this.keyOf(item), item]))
    const kept = this.shown.map(({ item }) => {
      const found = now.get(this.keyOf(item))
      return { item: found ?? item, over: found === undefined }
    })
    const known = new Set(this.shown.map(({ item }) => this.keyOf(item)))
    const fresh = wanted.filter((item) => !known.has(this.keyOf(item)))
    return (this.shown = [...kept, ...fresh.map((item) => ({ item, over: false }))])
  }
}
