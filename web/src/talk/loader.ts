import type * as tools from './index'

/** Small on purpose: what a page needs before the audience's tools are there. */
const STORED = 'streamer.talk'
const SOON_MS = 2_500
const AGAIN_MS = 5_000

export type TalkTools = typeof tools

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

/**
 * Loads the tools soon, without getting in the picture's way, and again where it fails.
 *
 * @returns stops it
 */
export function loadTalk(give: (tools: TalkTools) => void): () => void {
  let timer: ReturnType<typeof setTimeout>
  let left = false
  const load = () => {
    import('./index').then(
      (loaded) => left || give(loaded),
      () => left || (timer = setTimeout(load, AGAIN_MS)),
    )
  }
  timer = setTimeout(load, SOON_MS)
  return () => {
    left = true
    clearTimeout(timer)
  }
}
