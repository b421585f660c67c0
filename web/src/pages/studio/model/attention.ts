/** Ways in which alarms reach somebody who looks elsewhere: the tab's icon and title, and two soft tones where they are wanted. */

const KEY = 'streamer.studio.sound'

export function soundWanted(store: Pick<Storage, 'getItem'>): boolean {
  try {
    return store.getItem(KEY) === 'on'
  } catch {
    return false
  }
}

export function keepSoundWanted(store: Pick<Storage, 'setItem'>, on: boolean): void {
  try {
    store.setItem(KEY, on ? 'on' : 'off')
  } catch {
    // Kept for this page's life only.
  }
}

/** `(2) Title`, or the title alone. */
export const withCount = (title: string, count: number): string => (count > 0 ? `(${count}) ${title}` : title)

/** The tab's icon: the product's mark, red with a count while somebody has to look. */
export function iconFor(count: number, onAir: boolean): string {
  const text = count > 9 ? '9+' : String(count)
  const badge =
    count > 0
      ? `<circle cx="22" cy="22" r="10" fill="#ffb224"/><text x="22" y="27" font-family="sans-serif" font-size="14" font-weight="700" text-anchor="middle" fill="#1a1200">${text}</text>`
      : ''
  const lamp = onAir
    ? '<circle cx="26" cy="6" r="5" fill="#e0253d"/>'
    : '<circle cx="26" cy="6" r="4" fill="none" stroke="#f4f6fa" stroke-width="2"/>'
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#12161f"/><path d="M8 21V11m5 14V7m6 14V11" stroke="#f4f6fa" stroke-width="2.6" stroke-linecap="round"/>${lamp}${badge}</svg>`
  return `data:image/svg+xml,${encodeURIComponent(svg)}`
}

export function showIcon(count: number, onAir: boolean): void {
  const link = document.querySelector<HTMLLinkElement>('link[rel=icon]')
  if (link) link.href = iconFor(count, onAir)
}

let context: AudioContext | null = null

/** Browsers let pages be heard only once they were touched; call this from the touch that turns sound on. */
export async function readySound(): Promise<void> {
  context ??= new AudioContext()
  await context.resume().catch(() => undefined)
}

/** Whether the browser keeps the page silent until somebody presses something. */
export async function soundBlocked(): Promise<boolean> {
  const ready = readySound()
  await Promise.race([ready, new Promise((later) => setTimeout(later, 500))])
  return context?.state !== 'running'
}

/** Two tones of a fifth of a second. */
export const ring = (): void => sound([660, 880])

/** One deeper tone: somebody of the crew says something, and nothing rings. */
export const chime = (): void => sound([440])

function sound(tones: readonly number[]): void {
  if (context?.state !== 'running') return
  for (const [index, frequency] of tones.entries()) {
    const at = context.currentTime + index * 0.24
    const tone = new OscillatorNode(context, { frequency })
    const volume = new GainNode(context, { gain: 0 })
    volume.gain.setValueAtTime(0, at)
    volume.gain.linearRampToValueAtTime(0.2, at + 0.02)
    volume.gain.linearRampToValueAtTime(0, at + 0.2)
    tone.connect(volume).connect(context.destination)
    tone.start(at)
    tone.stop(at + 0.22)
  }
}
