import * as actions from '$features/actions/locales/actions'
import { translator, type Translation } from '$lib/i18n'
import * as alarms from './alarms'
import * as errors from './errors'
import * as order from './order'
import * as room from './room'
import * as state from './state'
import * as taps from './taps'

/** The words of the running day, by subject. */
export const en = { ...state.en, ...order.en, ...taps.en, ...room.en, ...actions.en, ...errors.en, ...alarms.en }

export const fr: Translation<typeof en> = {
  ...state.fr,
  ...order.fr,
  ...taps.fr,
  ...room.fr,
  ...actions.fr,
  ...errors.fr,
  ...alarms.fr,
}

export type DayKey = keyof typeof en & string

export const t = translator({ en, fr })

const say = t as (key: DayKey, values?: Readonly<Record<string, string | number>>) => string

/** An error's words by its code; the server's own where the code is not known here. */
export function errorWords(code: string, message: string): string {
  const key = `error.${code}`
  return key in en ? say(key as DayKey) : t('error.other', { message: message || code })
}
