/* eslint svelte/prefer-svelte-reactivity: "off" -- sets and maps are replaced, never changed in place */
/**
 * A moderator's commands: their steps, the answers, and the undo. One command may be several commands (a
 * selection of many kinds, more items than one command takes); undo takes all of it back.
 */
import type { Answer } from '$lib/live/socket'
import { readRecord, readTextOrNull } from '$lib/api/read'
import type { QuestionState } from '$features/talk/model/items'
import type { Entry } from './queue'

export interface Step {
  command: string
  data: Record<string, unknown>
}

/** Words of a command: the catalogue's `done.{kind}`. */
export const COMMANDS = [
  'approve',
  'delete',
  'mute',
  'unmute',
  'ban',
  'unban',
  'note',
  'ask',
  'pending',
  'approved',
  'on_stage',
  'answered',
  'dismissed',
  'edit',
  'merge',
  'carry',
  'poll.open',
  'poll.prepare',
  'poll.start',
  'poll.discard',
  'poll.close',
  'mode',
  'shield.up',
  'shield.down',
  'notice',
  'notice.off',
  'keep',
  'say',
] as const
export type CommandKind = (typeof COMMANDS)[number]

export interface ModeratorCommand {
  kind: CommandKind
  steps: readonly Step[]
  /** The number of items or people that it is about. */
  count?: number
  /** The participant or the item, where it is one. */
  subject?: string
  /** Ids of items that are being dealt with: they are dimmed meanwhile. */
  items?: readonly string[]
}

export interface Done {
  id: number
  kind: CommandKind
  count: number
  subject: string
  /** Newest last. Empty: there is nothing to take back. */
  actions: readonly string[]
  at_ms: number
  undone: boolean
}

export interface Refusal {
  kind: CommandKind | 'undo'
  subject: string
  code: string
  message: string
  /** The moderator who works on it, where that is the reason. */
  by: string | null
}

export interface CommandPorts {
  send: (command: string, data: Record<string, unknown>) => Promise<Answer>
  now: () => number
  wait: (ms: number) => Promise<void>
}

/** The time for which an undo is offered. */
export const UNDO_MS = 10_000
/** Items of one command. */
export const MOST_IDS = 200
const MOST_DONE = 50
const ATTEMPTS = 6

export class ModeratorCommands {
  /** The newest first. */
  done = $state.raw<readonly Done[]>([])
  refusal = $state.raw<Refusal | null>(null)
  /** Items that a command is under way for. */
  busy = $state.raw<ReadonlySet<string>>(new Set())
  /** The number of commands under way. */
  pending = $state(0)
  private count = 0
  /** Ends when everything that was begun is answered. */
  private begun: Promise<unknown> = Promise.resolve()

  constructor(private readonly ports: CommandPorts) {}

  /** The action that the undo bar offers. */
  latest(now_ms: number): Done | null {
    const last = this.done[0]
    return last && now_ms - last.at_ms < UNDO_MS ? last : null
  }

  /** The last that can still be taken back, however long ago: the next press takes back the one before it. */
  get undoable(): Done | null {
    return this.done.find(({ undone, actions }) => !undone && actions.length > 0) ?? null
  }

  /** Never rejects: what was refused is in `refusal`. @returns the last answer, null where one was refused */
  do(command: ModeratorCommand): Promise<Record<string, unknown> | null> {
    const done = this.run(command)
    this.begun = Promise.all([this.begun, done])
    return done
  }

  /**
   * Takes back the last command. The events of a command come before its answer: whoever presses between the two means
   * that command, not the one before it.
   */
  undoLast(): Promise<void> {
    const undone = this.begun.then(async () => {
      const last = this.undoable
      if (last) await this.undo(last)
      else this.refuse('undo', '', 'nothing')
    })
    this.begun = undone
    return undone
  }

  private async run(command: ModeratorCommand): Promise<Record<string, unknown> | null> {
    if (command.steps.length === 0) return null
    const items = command.items ?? []
    this.busy = new Set([...this.busy, ...items])
    this.pending++
    const actions: string[] = []
    let answered: Record<string, unknown> | null = null
    try {
      for (const step of command.steps) {
        const answer = await this.send(step)
        if (!answer.ok) {
          this.refused(command.kind, command.subject ?? '', answer.error)
          answered = null
          break
        }
        answered = answer.data
        const action = readTextOrNull(answer.data['action'])
        if (action) actions.push(action)
      }
    } finally {
      const ended = new Set(items)
      this.busy = new Set([...this.busy].filter((id) => !ended.has(id)))
      this.pending--
    }
    // The steps before the refusal can be undone all the same.
    if (answered !== null || actions.length > 0) this.note(command, actions)
    if (answered !== null && this.refusal?.kind === command.kind) this.refusal = null
    return answered
  }

  async undo(done: Done): Promise<boolean> {
    if (done.undone) return true
    for (const action of [...done.actions].reverse()) {
      if (!(await this.undoAction(action, done.subject))) return false
    }
    this.done = this.done.map((one) => (one.id === done.id ? { ...one, undone: true, at_ms: this.ports.now() } : one))
    return true
  }

  /** From the log: whoever did it, whenever. */
  async undoAction(action: string, subject = ''): Promise<boolean> {
    this.pending++
    try {
      const answer = await this.send({ command: 'undo', data: { action } })
      if (answer.ok) {
        this.done = this.done.map((one) =>
          one.actions.every((known) => known === action) && one.actions.length > 0 ? { ...one, undone: true } : one,
        )
        if (this.refusal?.kind === 'undo') this.refusal = null
        return true
      }
      this.refused('undo', subject, answer.error)
      return false
    } finally {
      this.pending--
    }
  }

  refuse(kind: CommandKind | 'undo', subject: string, code: string, by: string | null = null): void {
    this.refusal = { kind, subject, code, message: '', by }
  }

  forgetRefusal(): void {
    this.refusal = null
  }

  /** Out of sight; the log has it. */
  dismiss(): void {
    this.done = this.done.map((one, index) => (index === 0 ? { ...one, at_ms: -Infinity } : one))
  }

  private note(command: ModeratorCommand, actions: readonly string[]): void {
    const done: Done = {
      id: ++this.count,
      kind: command.kind,
      count: command.count ?? 1,
      subject: command.subject ?? '',
      actions,
      at_ms: this.ports.now(),
      undone: false,
    }
    this.done = [done, ...this.done].slice(0, MOST_DONE)
  }

  private refused(
    kind: CommandKind | 'undo',
    subject: string,
    error: { code: string; message: string; details: unknown },
  ) {
    const by = readTextOrNull(readRecord(error.details)['by'])
    this.refusal = { kind, subject, code: error.code, message: error.message, by }
  }

  /** Many commands at once are too many for the server: those are sent again when it says. */
  private async send({ command, data }: Step): Promise<Answer> {
    for (let attempt = 1; ; attempt++) {
      const answer = await this.ports.send(command, data)
      if (answer.ok || answer.error.code !== 'rate_limited' || attempt === ATTEMPTS) return answer
      await this.ports.wait(Math.min(answer.error.retryAfter_ms ?? 500, 5_000))
    }
  }
}

// --- from items to commands -----------------------------------------------------------------------------------------

function pieces(ids: readonly string[]): string[][] {
  const found: string[][] = []
  for (let at = 0; at < ids.length; at += MOST_IDS) found.push(ids.slice(at, at + MOST_IDS))
  return found
}

const named = (reason: string): Record<string, unknown> => (reason ? { reason } : {})

/** Lets items through: held chat and pending questions become visible, reports of visible items are settled. */
export function approve(entries: readonly Entry[], subject = ''): ModeratorCommand {
  const messages = entries.filter((entry) => entry.kind === 'message' && entry.waits)
  const questions = entries.filter((entry) => entry.kind === 'question' && entry.waits)
  const reported = entries.filter(({ reports }) => reports.length > 0)
  return {
    kind: messages.length + questions.length > 0 ? 'approve' : 'keep',
    count: entries.length,
    subject,
    items: entries.map(({ key }) => key),
    steps: [
      ...pieces(messages.map(({ key }) => key)).map((ids) => ({ command: 'chat.approve', data: { ids } })),
      ...pieces(questions.map(({ key }) => key)).map((ids) => move(ids, 'approved')),
      ...reported.map(({ key }) => ({ command: 'report.resolve', data: { id: key } })),
    ],
  }
}

/** Removes items: chat is deleted, questions are dismissed; their reports are settled by that. */
export function remove(entries: readonly Pick<Entry, 'key' | 'kind'>[], subject = '', reason = ''): ModeratorCommand {
  const of = (kind: Entry['kind']) => entries.filter((entry) => entry.kind === kind).map(({ key }) => key)
  return {
    kind: 'delete',
    count: entries.length,
    subject,
    items: entries.map(({ key }) => key),
    steps: [
      ...pieces(of('message')).map((ids) => ({ command: 'chat.delete', data: { ids, ...named(reason) } })),
      ...pieces(of('question')).map((ids) => move(ids, 'dismissed', reason)),
    ],
  }
}

export interface Person {
  id: string
  name: string
}

const about = (people: readonly Person[]) => ({
  count: people.length,
  subject: people.length === 1 ? people[0]!.name : '',
})

export function mute(people: readonly Person[], seconds: number, reason = '', removing = false): ModeratorCommand {
  return {
    kind: seconds > 0 ? 'mute' : 'unmute',
    ...about(people),
    steps: people.map(({ id }) => ({
      command: 'participant.mute',
      data: { id, seconds, ...named(reason), ...(removing ? { remove: true } : {}) },
    })),
  }
}

export function ban(people: readonly Person[], reason: string, removing: boolean): ModeratorCommand {
  return {
    kind: 'ban',
    ...about(people),
    steps: people.map(({ id }) => ({
      command: 'participant.ban',
      data: { id, ...named(reason), ...(removing ? { remove: true } : {}) },
    })),
  }
}

export const unban = (person: Person): ModeratorCommand => ({
  kind: 'unban',
  ...about([person]),
  steps: [{ command: 'participant.unban', data: { id: person.id } }],
})

function move(ids: readonly string[], state: QuestionState, reason = ''): Step {
  return { command: 'question.move', data: { ids, state, ...named(reason) } }
}

export function moved(ids: readonly string[], state: QuestionState, subject = ''): ModeratorCommand {
  return { kind: state, count: ids.length, subject, items: ids, steps: [move(ids, state)] }
}

export const one = (
  kind: CommandKind,
  command: string,
  data: Record<string, unknown>,
  subject = '',
): ModeratorCommand => ({
  kind,
  subject,
  steps: [{ command, data }],
})
