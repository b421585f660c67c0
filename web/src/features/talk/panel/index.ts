/** The audience's tools, in one chunk that pages load once the picture is there. */
export { default as SoundHelp } from './SoundHelp.svelte'
export { default as TalkPanel } from './TalkPanel.svelte'
