/** A calendar with reminders (RFC 5545), made in the browser: the server does not learn whose list it is. Pure. */
import type { ListedSession } from './my-list.svelte'

const REMIND_MINUTES = 10
/** 3.1: lines are at most 75 octets long, without their break. */
const LINE_OCTETS = 75

export function calendarOf(sessions: readonly ListedSession[], origin: string, now_ms: number): string {
  const lines = ['BEGIN:VCALENDAR', 'VERSION:2.0', 'PRODID:-//Streamer//My list//EN']
  for (const session of sessions) {
    const address = `${origin}/session/${encodeURIComponent(session.id)}`
    lines.push(
      'BEGIN:VEVENT',
      `UID:${session.id}@${new URL(origin).hostname}`,
      `DTSTAMP:${utc(now_ms)}`,
      `DTSTART:${utc(session.start_ms)}`,
      `DTEND:${utc(session.end_ms)}`,
      `SUMMARY:${text(session.title)}`,
      `LOCATION:${text(session.place)}`,
      `DESCRIPTION:${text([session.speakers.join(', '), address].filter(Boolean).join('\n'))}`,
      `URL:${address}`,
      'BEGIN:VALARM',
      'ACTION:DISPLAY',
      `DESCRIPTION:${text(session.title)}`,
      `TRIGGER:-PT${REMIND_MINUTES}M`,
      'END:VALARM',
      'END:VEVENT',
    )
  }
  lines.push('END:VCALENDAR')
  return lines.map((line) => `${folded(line)}\r\n`).join('')
}

const utc = (at_ms: number): string => new Date(at_ms).toISOString().replace(/[-:]|\.\d+/g, '')

/** 3.3.11. Other control characters than line breaks may not stand in a text. */
const text = (value: string): string =>
  value
    .replace(/[\\;,]/g, (sign) => `\\${sign}`)
    .replace(/\r\n?|\n/g, '\\n')
    // eslint-disable-next-line no-control-regex
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, '')

/** Broken between characters, not inside of one. */
function folded(line: string): string {
  const encoder = new TextEncoder()
  const rows: string[] = []
  let row = ''
  let octets = 0
  for (const character of line) {
    const size = encoder.encode(character).length
    if (octets + size > LINE_OCTETS) {
      rows.push(row)
      row = ' '
      octets = 1
    }
    row += character
    octets += size
  }
  return [...rows, row].join('\r\n')
}
