import { describe, expect, it } from 'vitest'
import { likelySame, readItem, renaming, whyWaiting } from './imports'

const item = (key: string, roomName: string, from: string | null) => {
  const told = { key, room_name: roomName, changes: from === null ? {} : { room: [from, 'new'] } }
  const read = readItem(told, 'moved')
  if (read === null) throw new Error('not read')
  return read
}

describe('a room that a schedule calls otherwise', () => {
  it('is probably the one from which most of its sessions would move', () => {
    const items = [
      item('1', 'Salle Ada', 'grande'),
      item('2', 'Salle Ada', 'petite'),
      item('3', 'Salle Ada', 'grande'),
      item('4', 'Salle B', 'petite'),
      item('5', 'Salle C', null),
    ]
    expect(likelySame(items, 'Salle Ada')).toBe('grande')
    expect(likelySame(items, 'Salle B')).toBe('petite')
    expect(likelySame(items, 'Salle C')).toBe('')
    expect(likelySame(items, 'Nowhere')).toBe('')
  })

  it('keeps the names by which it was found', () => {
    expect(renaming({ name: 'Grande salle', aliases: ['GS'] }, 'Salle Ada')).toEqual({
      name: 'Salle Ada',
      aliases: ['GS', 'Grande salle'],
    })
    expect(renaming({ name: 'Salle Ada', aliases: ['Grande salle'] }, 'Grande salle')).toEqual({
      name: 'Grande salle',
      aliases: ['Salle Ada'],
    })
  })
})

describe('what was left out of an import', () => {
  it('says why', () => {
    expect(whyWaiting({ room: null, blocked: true })).toBe('no_room')
    expect(whyWaiting({ room: 'a', blocked: true })).toBe('blocked')
    expect(whyWaiting({ room: readItem({ key: 'k', room: '' }, 'added')!.room, blocked: true })).toBe('blocked')
    expect(readItem({ key: 'k', room: null }, 'added')?.room).toBeNull()
    expect(whyWaiting({ room: 'a', blocked: false })).toBe('needs_yes')
  })
})
