import { expect, it } from 'vitest'
import { survivesVersions } from '$lib/api/versions'
import type { SocketSchema } from '$lib/api/types'
import { readAction, readAddressHold, readCard, readClaim, readReport, readSanction } from './wire'

const AT = '2026-11-24T08:00:00Z'

it('reads what servers of other versions tell moderators', () => {
  const report: SocketSchema['ReportChanged'] = {
    id: 'r',
    kind: 'message',
    item: 'm',
    participant: 'p',
    reason: null,
    at: AT,
    resolved: false,
  }
  survivesVersions(readReport, report, ['id', 'item', 'at'], ['kind'])
  const action: SocketSchema['ActionChanged'] = {
    id: 'a',
    kind: 'chat.delete',
    target: 'm',
    participant: 'p',
    who: 'Mo',
    reason: null,
    at: AT,
    undoable: true,
    undone: null,
    undone_by: null,
  }
  survivesVersions(readAction, action, ['id', 'at'], ['kind'])
  const sanction: SocketSchema['SanctionChanged'] = {
    participant: 'p',
    name: 'Ada',
    muted_until: null,
    banned: true,
    reason: null,
  }
  survivesVersions(readSanction, sanction, ['participant'])
  const claim: SocketSchema['Claimed'] = { id: 'm', by: 'Mo', until: AT }
  survivesVersions(readClaim, claim, ['id', 'until'])
  const held: SocketSchema['AddressHeld'] = { prefix: '192.0.2.0/24', participant: 'p', until: AT }
  survivesVersions(readAddressHold, held, ['prefix', 'until'])
  const record: SocketSchema['ParticipantRecord'] = {
    id: 'p',
    name: 'Ada',
    names: ['Ada', 'Eve'],
    place: 'hall',
    since: AT,
    here: true,
    messages: 1,
    questions: 0,
    muted_until: null,
    banned: false,
    latest: [],
    written: [{ kind: 'message', id: 'm', text: 'hello', state: 'visible', at: AT }],
    history: [action],
    notes: [{ id: 'n', text: 'twice warned', by: 'Mo', at: AT }],
  }
  survivesVersions(readCard, record, ['id'])
  expect(readCard(record)).toMatchObject({
    written: [{ text: 'hello' }],
    notes: [{ by: 'Mo' }],
    history: [{ id: 'a' }],
  })
})
