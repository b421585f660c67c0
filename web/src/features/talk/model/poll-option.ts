import { t } from '../locales/polls'
import type { Poll } from './items'

/** An option in the reader's language: a poll without options of its own has the server's, `Yes` and `No`. */
export function optionText({ options }: Pick<Poll, 'options'>, { text }: { text: string }): string {
  const asksYesNo = options.length === 2 && options[0]?.text === 'Yes' && options[1]?.text === 'No'
  return asksYesNo ? t(text === 'Yes' ? 'yes' : 'no') : text
}
