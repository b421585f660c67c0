/** The few that talks are answered with; a keyboard's own has all of them. */
export const EMOJI: readonly string[] = [
  ...['😀', '😄', '😅', '😂', '🙂', '😉', '😍', '🤩'],
  ...['🤔', '😮', '😬', '🙄', '😢', '😭', '😴', '🤯'],
  ...['👍', '👎', '👏', '🙏', '🙌', '💪', '👋', '🤝'],
  ...['❤️', '💡', '🔥', '✨', '🎉', '🚀', '🏆', '⭐'],
  ...['✅', '❌', '❓', '❗', '👀', '🎤', '🎧', '☕'],
]

/** Kind -> what is shown, as the server has them. */
export const REACTIONS = {
  like: '👍',
  love: '❤️',
  clap: '👏',
  laugh: '😂',
  wow: '😮',
  celebrate: '🎉',
  sad: '😢',
  thinking: '🤔',
} as const
export type ReactionKind = keyof typeof REACTIONS
export const REACTION_KINDS = Object.keys(REACTIONS) as ReactionKind[]
