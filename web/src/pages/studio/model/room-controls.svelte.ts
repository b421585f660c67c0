/** The steps before a tap: questions that are asked once, dialogs, shortcuts. No DOM. */

import { isAhead, isClosed, isRunning, type Session } from '$lib/protocol/day'
import { shortTimeIn } from './clock'
import { locale } from '$lib/i18n'
import { t } from '../locales/day'
import { open, inOrder, SNOOZE_MINUTES } from './alarms'
import type { Day } from './day.svelte'
import { mayGoOnAir } from './lamp'
import { doubtAbout } from './order'
import type { Scope, Tap } from './taps'
import type { DayAction } from './shortcuts'

export interface Question {
  title: string
  texts: readonly string[]
  confirm: string
  run: () => void
}

export class RoomControls {
  question = $state.raw<Question | null>(null)
  dialog = $state<'' | 'hold' | 'forget' | 'adhoc'>('')
  delaying = $state.raw<Session | null>(null)
  /** Of what goes on air without a plan; may be empty. */
  title = $state('')

  constructor(
    readonly day: Day,
    readonly roomName: string,
  ) {}

  get busy(): boolean {
    return this.question !== null || this.dialog !== '' || this.delaying !== null
  }

  /** On air, or its start mark moved where it is already. Asks once where it is not what everybody expects. */
  start(session: Session, at_ms: number | null): void {
    const { day } = this
    const run = () => void day.tap({ kind: 'start', session: session.id, at_ms }, session.title)
    if (isRunning(session)) return run()
    const doubt = doubtAbout(session, day.next, day.now_ms)
    if (doubt === '') return run()
    const { current, next } = day
    const time = shortTimeIn(session.shownStart_ms, locale.current, day.zone)
    const text =
      doubt === 'not_next'
        ? t('sure.not_next', { room: this.roomName, next: next?.title ?? '', title: session.title })
        : t('sure.early', { title: session.title, time, room: this.roomName })
    this.question = {
      title: t(`sure.${doubt}.title`),
      texts: [text, ...(current ? [t('sure.ends', { title: current.title })] : [])],
      confirm: t('tap.start'),
      run,
    }
  }

  end(session: Session, at_ms: number | null, { ask = false } = {}): void {
    const run = () => void this.day.tap({ kind: 'end', session: session.id, at_ms }, session.title)
    if (!ask) return run()
    // Next to a closed session the room shows the slate, whatever it shows between others.
    const shown = isClosed(session) ? 'slate' : (this.day.room?.between ?? 'slate')
    const texts = [t(`sure.end.${shown}`), t('sure.end')]
    this.question = { title: t('sure.end.title'), texts, confirm: t('tap.end'), run }
  }

  extend(session: Session, minutes: number): void {
    void this.day.tap({ kind: 'extend', session: session.id, minutes }, session.title)
  }

  delay(session: Session, minutes: number, following: boolean): void {
    this.delaying = null
    void this.day.tap({ kind: 'delay', session: session.id, minutes, following }, session.title)
  }

  cancel(session: Session): void {
    this.question = {
      title: t('sure.cancel.title'),
      texts: [t('sure.cancel', { title: session.title })],
      confirm: t('tap.cancel'),
      run: () => void this.day.tap({ kind: 'cancel', session: session.id }, session.title),
    }
  }

  reopen(session: Session): void {
    void this.day.tap({ kind: 'reopen', session: session.id }, session.title)
  }

  answer(session: Session, answer: { record?: boolean; stream?: boolean }): void {
    void this.day.tap({ kind: 'answer', session: session.id, ...answer }, session.title)
  }

  adHoc(title: string): void {
    this.dialog = ''
    void this.day.tap({ kind: 'ad_hoc', title }, title)
  }

  /** Puts on air what the room shows its crew, in one press. */
  goOnAir(): void {
    const title = this.title.trim()
    void this.day.tap({ kind: 'ad_hoc', title }, title).then((done) => {
      if (done) this.title = ''
    })
  }

  hold(scope: Scope, id: string, message: string): void {
    this.dialog = ''
    void this.day.tap({ kind: 'hold', scope, id, message })
  }

  resume(shift: boolean, scope: Scope = 'room', id = this.day.roomId): void {
    void this.day.tap({ kind: 'resume', scope, id, shift })
  }

  forget(minutes: number): void {
    this.dialog = ''
    void this.day.tap({ kind: 'forget', minutes })
  }

  slate(on: boolean): void {
    void this.day.tap({ kind: 'slate', on })
  }

  confirm(): void {
    const { question } = this
    this.question = null
    question?.run()
  }

  /** Whether the key meant something. */
  press(action: DayAction): boolean {
    const { day } = this
    const { current, next, room } = day
    if (!room) return false
    switch (action) {
      case 'start':
        if (mayGoOnAir(room, day.now_ms) && day.may('session.run')) {
          this.goOnAir()
          return true
        }
        if (!next || !isAhead(next) || !day.may('session.run')) return false
        this.start(next, null)
        return true
      case 'end':
        if (!current || !day.may('session.run')) return false
        this.end(current, null, { ask: true })
        return true
      case 'extend':
        if (!current || !day.may('session.run')) return false
        this.extend(current, 5)
        return true
      case 'hold':
        if (!day.may('room.hold') || room.hold) return false
        this.dialog = 'hold'
        return true
      case 'slate':
        if (!day.may('room.air')) return false
        this.slate(!room.slate)
        return true
      case 'undo':
        if (!day.latest || day.latest.undone || day.latest.actions.length === 0) return false
        void day.undo(day.latest)
        return true
      case 'alarm':
      case 'snooze':
      case 'normal': {
        const [first] = inOrder(open(day.alarms))
        if (!first || !day.may('alarm.acknowledge')) return false
        const alarm = first.id
        if (action === 'snooze') void day.tap({ kind: action, alarm, minutes: SNOOZE_MINUTES })
        else void day.tap({ kind: action === 'alarm' ? 'acknowledge' : action, alarm })
        return true
      }
    }
  }
}

/** The key's words in the list of what was done and in an error. */
export function nameOf(tap: Tap, subject: string): string {
  const say = t as (key: string, values: Record<string, string>) => string
  return say(`done.${tap.kind}`, { subject })
}
