/** Web Push to this browser. The service worker answers no request for a page: every page comes from the server. */

export type PushTrouble = 'unsupported' | 'install' | 'denied' | 'failed'

export class PushRefused extends Error {
  constructor(readonly trouble: PushTrouble) {
    super(trouble)
  }
}

export interface PushBrowser {
  serviceWorker: Pick<ServiceWorkerContainer, 'register' | 'ready'> | undefined
  notification: Pick<typeof Notification, 'requestPermission'> | undefined
  /** An iPhone or an iPad: it takes push messages in an installed page only. */
  wantsInstalling: boolean
}

const WORKER = '/service-worker.js'

export function thisBrowser(): PushBrowser {
  const installed = matchMedia('(display-mode: standalone)').matches
  const apple =
    /iPhone|iPad/.test(navigator.userAgent) || (/Mac/.test(navigator.userAgent) && navigator.maxTouchPoints > 1)
  return {
    serviceWorker: 'serviceWorker' in navigator && 'PushManager' in window ? navigator.serviceWorker : undefined,
    notification: 'Notification' in window ? Notification : undefined,
    wantsInstalling: apple && !installed,
  }
}

/** Asks for leave and subscribes. Rejects with PushRefused. @param key the server's, base64url */
export async function subscribe(key: string, browser: PushBrowser): Promise<PushSubscriptionJSON> {
  const { serviceWorker, notification } = browser
  if (browser.wantsInstalling) throw new PushRefused('install')
  if (!serviceWorker || !notification) throw new PushRefused('unsupported')
  // Asked at once: a browser shows the question only as the answer to a press.
  if ((await notification.requestPermission()) !== 'granted') throw new PushRefused('denied')
  try {
    await serviceWorker.register(WORKER)
    const { pushManager } = await serviceWorker.ready
    const before = await pushManager.getSubscription()
    const applicationServerKey = bytesOf(key)
    if (before && !sameBytes(before.options.applicationServerKey, applicationServerKey)) await before.unsubscribe()
    const made = await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey })
    return made.toJSON()
  } catch {
    throw new PushRefused('failed')
  }
}

export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  const plain = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
  return Uint8Array.from(plain, (one) => one.charCodeAt(0))
}

function sameBytes(one: ArrayBuffer | null, other: Uint8Array): boolean {
  if (one === null || one.byteLength !== other.byteLength) return false
  const bytes = new Uint8Array(one)
  return other.every((byte, index) => byte === bytes[index])
}
