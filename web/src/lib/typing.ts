const TYPING = new Set(['INPUT', 'SELECT', 'TEXTAREA'])

/** Whether keys belong to the field that has the focus. `free`: types of inputs in which nothing is typed. */
export function isTyping(target: EventTarget | null, ...free: readonly string[]): boolean {
  const element = target as { tagName?: string; isContentEditable?: boolean; type?: string } | null
  if (element?.isContentEditable) return true
  return TYPING.has(element?.tagName ?? '') && !free.includes(element?.type ?? '')
}
