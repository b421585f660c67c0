/** Why there is no camera, as a code that the page can explain. Pure. */

export type CaptureProblem =
  /** Plain HTTP from another machine: browsers hide cameras there. */
  | 'insecure'
  /** A browser without `mediaDevices`, or an embedded view. */
  | 'unsupported'
  | 'denied'
  /** The operating system keeps the browser away from it. */
  | 'denied_by_system'
  | 'not_found'
  | 'busy'
  | 'overconstrained'
  | 'unknown'

export type Browser = 'chromium' | 'firefox' | 'safari' | 'other'

export function environmentProblem(scope: { isSecureContext: boolean; mediaDevices: unknown }): CaptureProblem | null {
  if (!scope.isSecureContext) return 'insecure'
  if (!scope.mediaDevices) return 'unsupported'
  return null
}

/** Names of the exceptions as the Media Capture specification gives them, with the engines' habits. */
export function captureProblem(error: unknown): CaptureProblem {
  const name = field(error, 'name')
  const message = field(error, 'message').toLowerCase()
  switch (name) {
    case 'NotAllowedError':
    case 'SecurityError':
      // Chromium on macOS and Windows: «Permission denied by system».
      return message.includes('system') ? 'denied_by_system' : 'denied'
    case 'NotFoundError':
    case 'DevicesNotFoundError':
      // Firefox reports a camera that the system withholds in this way.
      return 'not_found'
    case 'NotReadableError':
    case 'TrackStartError':
    case 'AbortError':
      return 'busy'
    case 'OverconstrainedError':
      return 'overconstrained'
    default:
      return 'unknown'
  }
}

function field(error: unknown, name: 'name' | 'message'): string {
  if (typeof error !== 'object' || error === null) return ''
  const value = (error as Record<string, unknown>)[name]
  return typeof value === 'string' ? value : ''
}

/** Only for the words of an explanation, never for behaviour. */
export function browserFamily(userAgent: string): Browser {
  if (/firefox|fxios/i.test(userAgent)) return 'firefox'
  if (/chrom(e|ium)|crios|edg/i.test(userAgent)) return 'chromium'
  if (/safari/i.test(userAgent)) return 'safari'
  return 'other'
}
