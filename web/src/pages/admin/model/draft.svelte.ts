/** A form's unsaved values: kept through reloads and detours until they are saved or thrown away. */
import type { KeyStore } from '$lib/kept-token'
import { ApiFailure } from '$lib/api/client'
import { fieldsOf } from './api'

export type Values = Record<string, string | boolean>

const PREFIX = 'streamer.draft.'

export class Draft<T extends Values> {
  values = $state() as T
  /** Field -> why it was refused; the newest answer of the server. */
  problems = $state<Readonly<Record<string, { code: string; message: string }>>>({})
  /** Why the whole was refused, where it is about no field. */
  failure = $state.raw<ApiFailure | null>(null)
  busy = $state(false)
  /** Unsaved changes of an earlier visit were put back. */
  restored = $state(false)

  /**
   * @param key of what is edited, unique among all forms
   * @param initial as it is on the server
   */
  constructor(
    private readonly key: string,
    private readonly initial: T,
    private readonly store: KeyStore,
  ) {
    const kept = this.kept()
    this.values = { ...initial, ...kept }
    this.restored = kept !== null && this.dirty
  }

  get dirty(): boolean {
    return Object.keys(this.changed()).length > 0
  }

  /** The values that differ from the server's. */
  changed(): Partial<T> {
    const changed: Partial<T> = {}
    for (const name of Object.keys(this.initial) as (keyof T)[]) {
      if (this.values[name] !== this.initial[name]) changed[name] = this.values[name]
    }
    return changed
  }

  /** Called whenever something was typed. */
  keep(): void {
    try {
      const changed = this.changed()
      if (Object.keys(changed).length > 0) this.store.setItem(PREFIX + this.key, JSON.stringify(changed))
      else this.store.removeItem(PREFIX + this.key)
    } catch {
      // Without storage it lives as long as the form.
    }
  }

  discard(): void {
    this.values = { ...this.initial }
    this.problems = {}
    this.failure = null
    this.restored = false
    this.keep()
  }

  /** Sends it; true where that worked. What the server says of fields stands in `problems` afterwards. */
  async send(action: () => Promise<unknown>): Promise<boolean> {
    if (this.busy) return false
    this.busy = true
    this.problems = {}
    this.failure = null
    try {
      await action()
      this.forget()
      return true
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error
      this.refused(error)
      return false
    } finally {
      this.busy = false
    }
  }

  private refused(error: ApiFailure): void {
    const problems: Record<string, { code: string; message: string }> = {}
    for (const { field, code, message } of fieldsOf(error)) {
      // Of a list, the item (`speakers.0`) is told at the list.
      const name = field.split('.')[0] ?? ''
      // Of fields that do not go together, the message begins with the one that is wrong.
      const meant = name in this.initial ? name : (/(\w+) must come after/.exec(message)?.[1] ?? '')
      if (meant in this.initial) problems[meant] ??= { code, message }
    }
    this.problems = problems
    if (Object.keys(problems).length === 0) this.failure = error
  }

  private forget(): void {
    try {
      this.store.removeItem(PREFIX + this.key)
    } catch {
      // Nothing was kept.
    }
    this.restored = false
  }

  private kept(): Partial<T> | null {
    try {
      const text = this.store.getItem(PREFIX + this.key)
      const read: unknown = text === null ? null : JSON.parse(text)
      if (typeof read !== 'object' || read === null) return null
      const known = Object.entries(read).filter(
        ([name, value]) => name in this.initial && typeof value === typeof this.initial[name],
      )
      return known.length > 0 ? (Object.fromEntries(known) as Partial<T>) : null
    } catch {
      return null
    }
  }
}
