/** The days on which a session is planned again, by a zone's calendar. Pure. */
import { addDays } from '$lib/time/times'

/** As the server has it: more at a time are refused. */
export const MOST_COPIES = 100

/** The days after `first`, `weeks` apart, until `until`, which counts. */
export function weekly(first: string, weeks: number, until: string): string[] {
  const days: string[] = []
  if (!/^\d{4}-\d\d-\d\d$/.test(until) || !Number.isInteger(weeks) || weeks < 1) return days
  for (let day = addDays(first, 7 * weeks); day <= until && days.length < MOST_COPIES; day = addDays(day, 7 * weeks))
    days.push(day)
  return days
}
