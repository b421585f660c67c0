/** From key presses to lines: when a text is sent, and when it is final. Pure but for the ports. */

export interface Sent {
  lang: string
  text: string
  final: boolean
  at: number | null
  /** Of a line that is corrected. */
  id?: string
}

export interface Answer {
  id: string
  text: string
}

/** Not taken in: why, and when it is worth another try; null: not by itself. */
export class NotTaken extends Error {
  constructor(
    readonly code: string,
    readonly wait_ms: number | null = null,
  ) {
    super(code)
  }
}

export interface Ports {
  /** Rejects where it was not taken in, with {@link NotTaken} where the server said why. */
  send(what: Sent): Promise<Answer>
  /** Media time of what is heard now, ms UTC; null while nothing plays. */
  heard_ms(): number | null
  now_ms(): number
  after(delay_ms: number, what: () => void): unknown
  cancel(timer: unknown): void
}

export interface SentLine {
  key: number
  lang: string
  text: string
  at: number | null
  state: 'sending' | 'sent' | 'failed'
  id: string | null
  /** Why it failed: the server's code; '' where no answer came. */
  problem?: string
}

export const PARTIAL_MS = 300
/** A line that is not gone on with is final after so long: viewers have waited enough. */
export const PAUSE_MS = 4_000
/** Two rows of a caption: what is longer is cut at the last space. */
export const SCREEN = 84
const MAX_LINES = 200
const TRIES = 4

/** Where a text that is being typed is final: after a sentence's end with a space behind it, or when a screen is full. */
export function cutOf(text: string): number {
  const sentence = /^.*?[.!?…]+(?:\s?["»”’)\]]+)?\s/su.exec(text)
  // An abbreviation or an initial ends no sentence: at least three words, or ten letters.
  if (sentence && sentence[0].trim().length >= 10) return sentence[0].length
  if (text.length <= SCREEN) return 0
  const space = text.lastIndexOf(' ', SCREEN)
  return space > 0 ? space + 1 : SCREEN
}

/** One captioner at one language. `changed` is called after every change of `lines`. */
export class Typist {
  lines: readonly SentLine[] = []
  private text = ''
  private at: number | null = null
  private lastSent = ''
  private partialTimer: unknown = null
  private pauseTimer: unknown = null
  private queue: Promise<void> = Promise.resolve()
  private partialUnderWay = false
  private keys = 0

  constructor(
    private readonly ports: Ports,
    readonly lang: () => string,
    private readonly changed: () => void,
  ) {}

  /** Lines that were sent before this page was opened, oldest first. */
  recall(sent: readonly { id: string; lang: string; text: string }[]): void {
    if (this.lines.length > 0) return
    this.lines = sent.map(({ id, lang, text }) => ({ key: ++this.keys, id, lang, text, at: null, state: 'sent' }))
    this.changed()
  }

  /**
   * The field's text as it is now.
   *
   * @returns what is to stay in the field
   */
  input(text: string): string {
    if (text.trim() === '') {
      this.drop(text)
      return text
    }
    if (this.at === null) this.at = this.ports.heard_ms()
    this.text = text
    for (let cut = cutOf(this.text); cut > 0; cut = cutOf(this.text)) {
      const rest = this.text.slice(cut)
      this.finish(this.text.slice(0, cut))
      this.text = rest
      if (rest.trim() !== '') this.at = this.ports.heard_ms()
    }
    this.later()
    return this.text
  }

  /** Enter. */
  end(): void {
    if (this.text.trim() !== '') this.finish(this.text)
    this.text = ''
    this.stop()
  }

  async correct(line: SentLine, text: string): Promise<void> {
    if (line.id === null) return
    this.put({ ...line, text: text.trim(), state: 'sending' })
    await this.deliver({ ...line, text: text.trim() })
  }

  again(line: SentLine): void {
    this.put({ ...line, state: 'sending' })
    this.enqueue({ ...line, state: 'sending' })
  }

  close(): void {
    this.end()
  }

  private drop(text: string): void {
    const sent = this.lastSent
    this.text = text
    this.at = null
    this.stop()
    this.lastSent = ''
    // The text was begun and wiped out again.
    if (sent !== '') void this.partial('')
  }

  private finish(text: string): void {
    const line: SentLine = {
      key: ++this.keys,
      lang: this.lang(),
      text: text.trim(),
      at: this.at,
      state: 'sending',
      id: null,
    }
    this.at = null
    this.lastSent = ''
    this.lines = [...this.lines, line].slice(-MAX_LINES)
    this.changed()
    this.enqueue(line)
  }

  /** One after the other, so that they stand in the order in which they were typed. */
  private enqueue(line: SentLine): void {
    this.queue = this.queue.then(() => this.deliver(line))
  }

  private async deliver(line: SentLine): Promise<void> {
    const { lang, text, at, id } = line
    for (let attempt = 1; ; attempt++) {
      try {
        const answer = await this.ports.send({ lang, text, at, final: true, ...(id === null ? {} : { id }) })
        if (id !== null && text === '') this.lines = this.lines.filter(({ key }) => key !== line.key)
        return this.put({ ...line, id: answer.id, state: 'sent', problem: '' })
      } catch (error) {
        const { code, wait_ms } = error instanceof NotTaken ? error : new NotTaken('')
        if (wait_ms === null || attempt === TRIES) return this.put({ ...line, state: 'failed', problem: code })
        await new Promise<void>((resolve) => this.ports.after(wait_ms, resolve))
      }
    }
  }

  private put(line: SentLine): void {
    this.lines = this.lines.map((old) => (old.key === line.key ? line : old))
    this.changed()
  }

  private later(): void {
    this.partialTimer ??= this.ports.after(PARTIAL_MS, () => {
      this.partialTimer = null
      if (this.text.trim() !== '' && this.text !== this.lastSent) void this.partial(this.text)
    })
    this.ports.cancel(this.pauseTimer)
    this.pauseTimer = this.ports.after(PAUSE_MS, () => this.paused())
  }

  /** The word that is being typed stays. */
  private paused(): void {
    const cut = this.text.endsWith(' ') ? this.text.length : this.text.lastIndexOf(' ') + 1
    if (cut > 0 && this.text.slice(0, cut).trim() !== '') {
      const rest = this.text.slice(cut)
      this.finish(this.text.slice(0, cut))
      this.text = rest
      if (rest !== '') this.at = this.ports.heard_ms()
      this.onrest?.(rest)
    }
  }

  /** Told what stays in the field when a pause finished the line. */
  onrest: ((rest: string) => void) | null = null

  private async partial(text: string): Promise<void> {
    if (this.partialUnderWay) return
    this.partialUnderWay = true
    this.lastSent = text
    const what = { lang: this.lang(), text: text.trim(), at: this.at, final: false }
    // Behind the finished ones, or it would be taken for the beginning of the one before.
    await (this.queue = this.queue.then(async () => {
      // Finished meanwhile: nothing may replace it.
      if (this.lastSent === text) await this.ports.send(what).catch(() => undefined)
    }))
    this.partialUnderWay = false
    if (this.text.trim() !== '' && this.text !== this.lastSent) this.later()
  }

  private stop(): void {
    this.ports.cancel(this.partialTimer)
    this.ports.cancel(this.pauseTimer)
    this.partialTimer = this.pauseTimer = null
  }
}
