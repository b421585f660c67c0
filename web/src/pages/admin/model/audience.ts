/** A session's audience in numbers (`streamer/api/participation.py`). Pure but for the questions it asks. */
import { isRecord, type Read, readNumberOrNull, shape } from '$lib/api/read'
import type { Schema } from '$lib/api/types'
import { type AdminApi, segment } from './api'

const readFigure = (value: unknown): number | null => {
  const figure = readNumberOrNull(value)
  return figure === null || figure < 0 ? null : figure
}

export type Watched = Read<typeof readWatched>
export const readWatched = shape<Schema['Watched']>()(({ needed }) => ({
  /** Watched by all together. */
  minutes: needed('minutes', readFigure),
  /** People at a time. */
  peak: needed('peak', readFigure),
  average: needed('average', readFigure),
}))

/** The number of them; `more`: there are others that were not counted. */
export interface Counted {
  count: number
  more: boolean
}

export interface Figures {
  watched: Watched
  questions: Counted
  polls: Counted
}

const COUNTED = 200

export async function askFigures(api: AdminApi, session: string): Promise<Figures> {
  const count = async (path: string): Promise<Counted> => {
    const page = await api.page(path, (item) => (isRecord(item) ? item : null), { session, limit: COUNTED })
    return { count: page.items.length, more: page.cursor !== null }
  }
  const [watched, questions, polls] = await Promise.all([
    api.get(`/sessions/${segment(session)}/audience`),
    count('/questions'),
    count('/polls'),
  ])
  return { watched: readWatched(watched) ?? { minutes: 0, peak: 0, average: 0 }, questions, polls }
}

/** A plain link: the login's cookie comes along. */
export const tableUrl = (kind: 'questions' | 'polls', session: string): string =>
  `/api/v1/${kind}?${new URLSearchParams({ session, format: 'csv' })}`

/** `3`, or `200+`. */
export const countText = ({ count, more }: Counted): string => (more ? `${count}+` : String(count))
