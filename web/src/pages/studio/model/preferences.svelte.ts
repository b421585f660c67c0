/** The settings of one room's page, kept as soon as they change. */

import type { KeyStore } from '$lib/kept-token'
import { loadSettings, saveSettings, type StudioSettings } from './settings'

export class Preferences {
  current = $state<StudioSettings>(undefined as never)

  constructor(
    private readonly store: KeyStore,
    private readonly room: string,
  ) {
    this.current = loadSettings(store, room)
  }

  change(settings: Partial<StudioSettings>): void {
    Object.assign(this.current, settings)
    saveSettings(this.store, this.room, $state.snapshot(this.current))
  }
}
