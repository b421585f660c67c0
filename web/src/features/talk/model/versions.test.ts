import { describe, expect, it } from 'vitest'
import { survivesVersions } from '$lib/api/versions'
import type { SocketSchema } from '$lib/api/types'
import { readCrewMessage, readTrouble } from './crew-messages'
import {
  readMessage,
  readMode,
  readNotice,
  readOrder,
  readPoll,
  readPresence,
  readQuestion,
  readStanding,
  readYou,
} from './items'

const AT = '2026-11-24T08:00:00Z'

describe('a server one version older or newer', () => {
  it('tells messages', () => {
    const message: Required<SocketSchema['ChatMessage']> = {
      id: 'm',
      participant: 'p',
      name: 'Ada',
      role: 'speaker',
      text: 'Hello',
      at: AT,
      media_at: 5,
      session: null,
      reply_to: null,
      state: 'visible',
      reason: null,
      until: null,
    }
    survivesVersions(readMessage, message, ['id', 'text', 'at'], ['role', 'state'])
    // A state that is not known is none that others see.
    expect(readMessage({ ...message, state: 'quarantined', role: 'mascot' })).toMatchObject({
      state: 'held',
      role: null,
    })
    const { reason: _, ...unmoderated } = message
    expect(readMessage(unmoderated)).not.toHaveProperty('reason')
  })

  it('tells questions and polls', () => {
    const question: Required<SocketSchema['QuestionChanged']> = {
      id: 'q',
      participant: 'p',
      name: 'Ada',
      role: null,
      anonymous: false,
      place: 'hall',
      text: 'Why?',
      edited: false,
      state: 'approved',
      votes: 3,
      at: AT,
      media_at: 5,
      staged_at: null,
      answered_at: null,
      session: null,
      mine: true,
      original: null,
      reason: null,
      merged_into: null,
      withdrawn: false,
      archived: false,
    }
    survivesVersions(readQuestion, question, ['id', 'text', 'state', 'at'], ['role', 'state', 'place'])
    const order: SocketSchema['QuestionOrderChanged'] = { by: 'fair', ids: ['q'] }
    survivesVersions(readOrder, order, ['ids'], ['by'])
    const poll: SocketSchema['PollChanged'] = {
      id: 'p',
      kind: 'single',
      question: 'Which?',
      options: [{ id: 0, text: 'This', votes: null }],
      voters: 0,
      state: 'open',
      results_at_end: false,
      at: AT,
      media_at: 5,
      closed_at: null,
      session: null,
    }
    survivesVersions(readPoll, poll, ['id', 'question', 'options', 'at'], ['kind', 'state'])
  })

  it('tells the room and the participant', () => {
    const mode: Required<SocketSchema['ModeChanged']> = {
      chat: 'open',
      slow_seconds: 0,
      questions: 'open',
      anonymous: true,
      order: 'fair',
      hold_seconds: 0,
      shield: false,
      words: [],
      networks: [],
      word_lists: [],
    }
    survivesVersions(readMode, mode, ['chat', 'questions'], ['chat', 'questions', 'order'])
    const notice: SocketSchema['NoticeChanged'] = { id: 'n', text: 'Lunch', at: AT, until: null }
    survivesVersions(readNotice, notice, ['id', 'text', 'at'])
    const presence: SocketSchema['Presence'] = { participants: 1, hls: 2, whep: 3, viewers: 5 }
    survivesVersions(readPresence, presence, [])
    const you: SocketSchema['You'] = { id: 'p', role: 'viewer', name: 'Ada', place: '', key: null }
    survivesVersions(readYou, you, [], ['role', 'place'])
    const standing: SocketSchema['YouChanged'] = { muted_until: null, banned: false }
    survivesVersions(readStanding, standing, [])
  })

  it('tells the crew', () => {
    const line: SocketSchema['CrewMessageSent'] = {
      id: 'l',
      to: 'stage',
      label: 'Mo',
      text: 'Louder',
      at: AT,
      room: 'turing',
    }
    survivesVersions(readCrewMessage, line, ['id', 'at'], ['to'])
    const trouble: SocketSchema['TroubleCount'] = { kind: 'sound', people: 3, alarm: true, viewers: 9, room: 'turing' }
    survivesVersions((data) => readTrouble(data, 0), trouble, ['kind'], ['kind'])
  })
})
