import { describe, expect, it } from 'vitest'
import { dayGrid } from './grid'

const PARIS = 'Europe/Paris'
const DAY = Date.parse('2026-11-23T23:00:00Z')
const at = (clock: string) => DAY + (Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3))) * 60_000
const session = (id: string, start: string, end: string, room = 'a') => ({
  id,
  room,
  alsoIn: [] as string[],
  start_ms: at(start),
  end_ms: at(end),
})

const blocks = (...sessions: ReturnType<typeof session>[]) =>
  dayGrid(sessions, ['a'], DAY, PARIS).columns[0]?.blocks.map(({ session: { id }, top, height, slot, slots }) => [
    id,
    top,
    height,
    slot,
    slots,
  ])

describe('the day’s grid', () => {
  it('shows usual hours, and more where there is something', () => {
    expect(dayGrid([], ['a'], DAY, PARIS)).toMatchObject({
      from: 540,
      until: 1080,
      columns: [{ room: 'a', blocks: [] }],
    })
    expect(dayGrid([session('x', '07:30', '22:10')], ['a'], DAY, PARIS)).toMatchObject({ from: 420, until: 1380 })
  })

  it('has a column for what is in no room, and shows what is in several in each', () => {
    const [dinner, both] = [session('dinner', '19:00', '20:00', ''), session('both', '09:00', '10:00')]
    both.alsoIn.push('b')
    const { columns } = dayGrid([dinner, both], ['', 'a', 'b'], DAY, PARIS)
    expect(columns.map(({ room, blocks }) => [room, ...blocks.map((block) => block.session.id)])).toEqual([
      ['', 'dinner'],
      ['a', 'both'],
      ['b', 'both'],
    ])
  })

  it('puts those that follow each other below each other', () => {
    expect(blocks(session('x', '09:00', '10:00'), session('y', '10:00', '10:45'))).toEqual([
      ['x', 0, 60, 0, 1],
      ['y', 60, 45, 0, 1],
    ])
  })

  it('puts those that overlap beside each other, and shares the width in their group only', () => {
    expect(
      blocks(
        session('long', '09:00', '12:00'),
        session('one', '09:30', '10:00'),
        session('two', '10:00', '11:00'),
        session('alone', '13:00', '14:00'),
      ),
    ).toEqual([
      ['long', 0, 180, 0, 2],
      ['one', 30, 30, 1, 2],
      ['two', 60, 60, 1, 2],
      ['alone', 240, 60, 0, 1],
    ])
  })

  it('cuts what began yesterday or ends tomorrow at midnight, and keeps the shortest readable', () => {
    expect(dayGrid([session('x', '-2:00', '01:00')], ['a'], DAY, PARIS).columns[0]?.blocks[0]).toMatchObject({
      top: 0,
      height: 60,
    })
    const late = dayGrid([session('x', '23:00', '26:00')], ['a'], DAY, PARIS)
    expect([late.until, late.columns[0]?.blocks[0]?.height]).toEqual([1440, 60])
    expect(blocks(session('x', '09:00', '09:05'))).toEqual([['x', 0, 15, 0, 1]])
  })

  it('leaves out rooms that are not asked for', () => {
    const grid = dayGrid([session('x', '09:00', '10:00', 'b')], ['a'], DAY, PARIS)
    expect(grid.columns[0]?.blocks).toEqual([])
  })
})
