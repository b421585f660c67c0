/**
 * Tells whether another tab sends what this one would send: a duplicated tab has the other's storage, and would take its
 * room away. Tabs ask each other; one that was left does not answer.
 */

/** A tab that sends is awake: a camera keeps its timers and messages going. */
const ANSWER_MS = 400

export class OnlyTab {
  private readonly channel: BroadcastChannel
  private answered = false

  /** @param sends whether this tab sends now */
  constructor(name: string, sends: () => boolean) {
    this.channel = new BroadcastChannel(`studio ${name}`)
    this.channel.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (data === 'sends') this.answered = true
      else if (data === 'asks' && sends()) this.channel.postMessage('sends')
    }
  }

  async alone(): Promise<boolean> {
    this.answered = false
    this.channel.postMessage('asks')
    await new Promise((resolve) => setTimeout(resolve, ANSWER_MS))
    return !this.answered
  }

  close(): void {
    this.channel.close()
  }
}
