/* eslint svelte/prefer-svelte-reactivity: "off" -- sets and maps are replaced, never changed in place */
/** Where somebody is in a list, and what they have selected there: by keys or by pointer. Keys are the items' ids. */
export class Picker {
  cursor = $state<string | null>(null)
  selected = $state.raw<ReadonlySet<string>>(new Set())
  private keys: readonly string[] = []
  private anchor: string | null = null

  /** The list is another now. A cursor whose item has gone stands on the one that came after it. */
  follow(keys: readonly string[]): void {
    const before = this.keys
    this.keys = keys
    const there = new Set(keys)
    if ([...this.selected].some((key) => !there.has(key))) {
      this.selected = new Set([...this.selected].filter((key) => there.has(key)))
    }
    const { cursor } = this
    if (cursor === null || there.has(cursor)) return
    const at = before.indexOf(cursor)
    const after = before.slice(at + 1).find((key) => there.has(key))
    const ahead = before.slice(0, Math.max(0, at)).findLast((key) => there.has(key))
    this.cursor = after ?? ahead ?? keys.at(0) ?? null
  }

  /** @returns where it is now */
  move(by: number): string | null {
    if (this.keys.length === 0) return (this.cursor = null)
    const at = this.cursor === null ? -1 : this.keys.indexOf(this.cursor)
    const from = at < 0 && by < 0 ? this.keys.length : at
    this.cursor = this.keys[Math.min(this.keys.length - 1, Math.max(0, from + by))] ?? null
    return this.cursor
  }

  go(key: string): void {
    if (this.keys.includes(key)) this.cursor = key
  }

  toggle(key = this.cursor): void {
    if (key === null || !this.keys.includes(key)) return
    const selected = new Set(this.selected)
    if (!selected.delete(key)) selected.add(key)
    this.selected = selected
    this.anchor = key
  }

  /** From the last one that was selected by itself to this one. */
  reach(key: string): void {
    const from = this.keys.indexOf(this.anchor ?? this.cursor ?? key)
    const to = this.keys.indexOf(key)
    if (from < 0 || to < 0) return this.toggle(key)
    const span = this.keys.slice(Math.min(from, to), Math.max(from, to) + 1)
    this.selected = new Set([...this.selected, ...span])
  }

  select(keys: readonly string[]): void {
    this.selected = new Set(keys.filter((key) => this.keys.includes(key)))
  }

  /** All of the list; none where that is so already. */
  every(): void {
    this.selected = this.selected.size === this.keys.length ? new Set() : new Set(this.keys)
  }

  clear(): void {
    if (this.selected.size > 0) this.selected = new Set()
    this.anchor = null
  }

  /** The subject of a command: the selection, in the list's order; else the entry at the cursor. */
  get targets(): string[] {
    if (this.selected.size > 0) return this.keys.filter((key) => this.selected.has(key))
    return this.cursor === null ? [] : [this.cursor]
  }
}
