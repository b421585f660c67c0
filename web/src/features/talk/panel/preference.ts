import type * as tools from './index'

/** Small on purpose: what a page needs before the audience's tools (`./index`, loaded late) are there. */
export type TalkTools = typeof tools

const STORED = 'streamer.talk'

/** Whether the viewer wants the panel; remembered for all rooms. */
export function wantsTalk(): boolean {
  try {
    return localStorage.getItem(STORED) !== 'off'
  } catch {
    return true
  }
}

export function keepTalk(on: boolean): void {
  try {
    localStorage.setItem(STORED, on ? 'on' : 'off')
  } catch {
    // Storage is denied: for this visit only.
  }
}
