import type { Question } from './items'
import type { Talk } from './talk.svelte'

/** The actions that a question's card offers to somebody; undefined for one that they may not do. */
export interface QuestionActions {
  onvote: ((value: boolean) => void) | undefined
  onwithdraw: (() => void) | undefined
  onreport: (() => void) | undefined
}

/** The same wherever a question stands: beside the player and on a phone in the hall. */
export function questionActions(
  talk: Talk,
  question: Question,
  onreport: (question: Question) => void,
): QuestionActions {
  const own = talk.conversation.isMine(question)
  const over = question.state === 'answered'
  return {
    onvote: over || talk.banned ? undefined : (value) => void talk.vote(question.id, value),
    onwithdraw: own && !over ? () => void talk.takeBack('question', question.id) : undefined,
    onreport: own ? undefined : () => onreport(question),
  }
}
