/** Parts of the player that come after its first picture: they have a module of their own. */
export { tellPlayback } from './beacon.svelte'
export { tellSystem } from './media-session.svelte'
export { default as RemoteButton } from './RemoteButton.svelte'
export { default as ReplayControls } from './ReplayControls.svelte'
export { default as Shortcuts } from './Shortcuts.svelte'
export { Sheet } from './sheet.svelte'
