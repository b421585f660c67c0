import { describe, expect, it } from 'vitest'
import { readSession, type Session, type Venue } from '$lib/protocol/day'
import type { ListedRoom } from '$lib/protocol/rooms'
import { readStatus } from '$lib/protocol/room'
import { gridsOf, languagesOf, nextOf, nowIn, readFilters, shownRooms, windowOf, writeFilters } from './plan'

const at = (time: string) => `2026-11-24T${time}:00+01:00`
const ms = (time: string) => Date.parse(at(time))

function session(id: string, room: string, start: string, end: string, fields: object = {}): Session {
  const made = { id, room, title: id, state: 'scheduled', visibility: 'public', language: 'fr', ...fields }
  return readSession({ ...made, start: at(start), end: at(end) })!
}
function room(id: string, venue: string | null = 'nantes', fields: object = {}): ListedRoom {
  return { ...readStatus({ id, name: id, venue, state: 'off', ...fields }, null)!, id }
}
const venue = (id: string, timezone = 'Europe/Paris'): Venue => ({
  ...{ id, name: id, timezone, language: 'fr', logos: [] },
  ...{ colour: '', typeface: '', logo: '', cover: '', stylesheet: '' },
})
const NONE = { venue: null, language: null, day: null }
const DAY = '2026-11-24'

it('finds the room whose next session begins first', () => {
  const next = (id: string, start: string) => ({
    id,
    title: id,
    state: 'scheduled',
    start: at(start),
    end: at('20:00'),
  })
  const late = room('late', 'nantes', { next: next('s1', '18:00') })
  const soon = room('soon', 'nantes', { next: next('s2', '17:00') })
  expect(nextOf([room('idle'), late, soon])?.id).toBe('soon')
  expect(nextOf([room('idle')])).toBeNull()
})

describe('filters', () => {
  it('are kept in the address, with what else stands there', () => {
    const filters = readFilters('?venue=nantes&language=fr&day=2026-11-24&x=1')
    expect(filters).toEqual({ venue: 'nantes', language: 'fr', day: DAY })
    expect(writeFilters({ ...filters, venue: null, day: null }, '?venue=nantes&x=1')).toBe('?x=1&language=fr')
    expect(writeFilters(NONE, '?venue=a')).toBe('')
  })
  it('take no day that is none', () => {
    expect(readFilters('?day=tomorrow&venue=')).toEqual(NONE)
  })
  it('offer the languages that are spoken, without their regions', () => {
    const sessions = [{ language: 'fr-FR' }, { language: 'en' }, { language: '' }, { language: 'fr' }]
    expect(languagesOf(sessions.map((fields, index) => session(`${index}`, 'a', '09:00', '10:00', fields)))).toEqual([
      'en',
      'fr',
    ])
  })
  it('leave the rooms of a venue, and those where the language is spoken now or next', () => {
    const spoken = { ...room('a'), session: session('s', 'a', '09:00', '10:00', { language: 'en-GB' }) }
    const soon = { ...room('b', 'brest'), following: session('n', 'b', '09:00', '10:00', { language: 'en' }) }
    const rooms = [spoken, soon, room('c')]
    const ids = (filters: object) => shownRooms(rooms, { ...NONE, ...filters }).map(({ id }) => id)
    expect(ids({})).toEqual(['a', 'b', 'c'])
    expect(ids({ venue: 'nantes' })).toEqual(['a', 'c'])
    expect(ids({ language: 'en' })).toEqual(['a', 'b'])
    expect(ids({ language: 'en', venue: 'brest' })).toEqual(['b'])
  })
})

describe('a day’s grids', () => {
  it('put each session in its room’s column, from line to line', () => {
    const sessions = [
      session('late', 'b', '10:00', '11:00'),
      session('long', 'a', '09:00', '11:00'),
      session('first', 'b', '09:00', '09:45'),
    ]
    const [grid] = gridsOf(sessions, [room('a'), room('b'), room('idle')], [venue('nantes')], NONE, DAY)
    expect(grid?.columns.map(({ room, first, slots }) => [room?.id, first, slots])).toEqual([
      ['a', 1, 1],
      ['b', 2, 1],
    ])
    expect(grid?.cells.map(({ session: { id }, rowStart, rowEnd }) => [id, rowStart, rowEnd])).toEqual([
      ['long', 1, 4],
      ['first', 1, 2],
      ['late', 3, 4],
    ])
    expect(grid?.rows.map(({ start_ms }) => start_ms)).toEqual([ms('09:00'), ms('09:45'), ms('10:00')])
    expect(grid?.width).toBe(2)
  })

  it('put sessions of one room that overlap side by side', () => {
    const sessions = [
      session('x', 'a', '09:00', '11:00'),
      session('y', 'a', '09:30', '10:00'),
      session('z', 'a', '10:00', '10:30'),
    ]
    const [grid] = gridsOf(sessions, [room('a'), room('b')], [venue('nantes')], NONE, DAY)
    expect(grid?.columns[0]?.slots).toBe(2)
    expect(grid?.cells.map(({ session: { id }, slot }) => [id, slot])).toEqual([
      ['x', 0],
      ['y', 1],
      ['z', 1],
    ])
  })

  it('have a grid for each venue, and one for rooms without', () => {
    const sessions = ['a', 'b', 'c'].map((id) => session(id, id, '09:00', '10:00'))
    const rooms = [room('a', 'nantes'), room('b', 'brest'), room('c', null)]
    const grids = gridsOf(sessions, rooms, [venue('brest'), venue('nantes'), venue('rennes')], NONE, DAY)
    expect(grids.map((grid) => grid.venue?.id)).toEqual(['brest', 'nantes', undefined])
    const one = gridsOf(sessions, rooms, [venue('brest'), venue('nantes')], { ...NONE, venue: 'nantes' }, DAY)
    expect(one.map((grid) => grid.venue?.id)).toEqual(['nantes'])
  })

  it('hold what is on that day by the venue’s own calendar', () => {
    // 00:30 in Paris is still the day before in Guadeloupe.
    const night = session('night', 'a', '00:30', '01:30')
    const far = [venue('nantes', 'America/Guadeloupe')]
    expect(gridsOf([night], [room('a')], [venue('nantes')], NONE, DAY)).toHaveLength(1)
    expect(gridsOf([night], [room('a')], far, NONE, DAY)).toHaveLength(0)
    expect(gridsOf([night], [room('a')], far, NONE, '2026-11-23')).toHaveLength(1)
    const window = windowOf(DAY, ['Europe/Paris', 'America/Guadeloupe'])
    expect([window.from_ms, window.until_ms]).toEqual([ms('00:00'), ms('00:00') + 29 * 3_600_000])
  })

  it('have a column for what takes place at the venue in no room', () => {
    const at = (id: string, venue: string | null) => session(id, '', '19:00', '20:00', { room: null, venue })
    const sessions = [session('x', 'a', '09:00', '10:00'), at('dinner', 'nantes'), at('far', 'brest'), at('lost', null)]
    const grids = gridsOf(sessions, [room('a')], [venue('nantes'), venue('brest')], NONE, DAY)
    expect(grids.map((grid) => [grid.venue?.id, ...grid.cells.map((cell) => cell.session.id)])).toEqual([
      ['nantes', 'x', 'dinner'],
      ['brest', 'far'],
      [undefined, 'lost'],
    ])
    expect(grids[0]?.columns.map(({ room, first }) => [room?.id ?? null, first])).toEqual([
      [null, 1],
      ['a', 2],
    ])
  })

  it('show a session of several rooms in each of them, and name them where it comes first', () => {
    const both = session('both', 'b', '09:00', '10:00', { also_in: ['a', 'elsewhere'] })
    const [grid] = gridsOf([both], [room('a'), room('b'), room('c')], [venue('nantes')], NONE, DAY)
    expect(grid?.cells.map(({ column, rooms }) => [column.room?.id, rooms])).toEqual([
      ['a', ['b', 'a']],
      ['b', []],
    ])
    expect(gridsOf([both], [room('a')], [venue('nantes')], NONE, DAY)[0]?.cells).toHaveLength(1)
  })

  it('follow the times that the audience is told', () => {
    const moved = session('m', 'a', '09:00', '10:00', { shown_start: at('09:20'), shown_end: at('10:20') })
    const [grid] = gridsOf([moved], [room('a')], [venue('nantes')], NONE, DAY)
    expect(grid?.rows).toMatchObject([{ start_ms: ms('09:20'), end_ms: ms('10:20') }])
    expect(nowIn(grid!, ms('09:50'))).toEqual({ row: 1, share: 0.5 })
    expect(nowIn(grid!, ms('09:00'))).toBeNull()
    expect(nowIn(grid!, ms('10:20'))).toBeNull()
  })
})
