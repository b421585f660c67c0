/**
 * Whether a text is on the clipboard now.
 *
 * @param select selects the text where it is shown: plain HTTP has no clipboard, a command or a key then copies it
 */
export async function toClipboard(text: string, select?: () => void): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    select?.()
    return select !== undefined && document.execCommand('copy')
  }
}
