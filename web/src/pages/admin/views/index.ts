import type { Component } from 'svelte'
import type { View, ViewProps } from '../model/route'
import Account from './Account.svelte'
import Audit from './Audit.svelte'
import Count from './Count.svelte'
import Events from './Events.svelte'
import Grants from './Grants.svelte'
import Imports from './Imports.svelte'
import Recordings from './Recordings.svelte'
import Retention from './Retention.svelte'
import Rooms from './Rooms.svelte'
import Sessions from './Sessions.svelte'
import Templates from './Templates.svelte'
import Venues from './Venues.svelte'

export const VIEW_COMPONENTS: Record<View, Component<ViewProps> | Component> = {
  sessions: Sessions,
  events: Events,
  imports: Imports,
  templates: Templates,
  rooms: Rooms,
  venues: Venues,
  grants: Grants,
  recordings: Recordings,
  retention: Retention,
  count: Count,
  audit: Audit,
  account: Account,
}
