// Shows alarms on this phone. It has no "fetch" listener: every page comes from the server, none is ever stale.

self.addEventListener('install', () => self.skipWaiting())
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()))

self.addEventListener('push', (event) => {
  let told = {}
  try {
    told = event.data?.json() ?? {}
  } catch {
    // A push that cannot be read is shown all the same: a browser takes the right away from one that shows nothing.
  }
  event.waitUntil(show(told))
})

function show(told) {
  const rings = told.kind === 'began'
  return self.registration.showNotification(told.title || 'Streamer', {
    body: told.text || '',
    lang: told.lang || '',
    // The newest of a trouble takes the place of what was shown of it.
    tag: told.tag || 'streamer',
    renotify: rings,
    requireInteraction: rings,
    silent: !rings,
    vibrate: rings ? [400, 200, 400, 200, 800] : undefined,
    icon: '/icons/app-192.png',
    image: told.image || undefined,
    actions: told.take ? [{ action: 'take', title: told.takeLabel || 'OK' }] : [],
    data: { link: told.link || '/studio', take: told.take || '' },
  })
}

self.addEventListener('notificationclick', (event) => {
  const { link, take } = event.notification.data ?? {}
  event.notification.close()
  event.waitUntil(event.action === 'take' && take ? taken(take, link) : open(link))
})

async function taken(take, link) {
  const answer = await fetch(take, { method: 'POST', credentials: 'omit' }).catch(() => null)
  // A failure is shown: somebody must know that they do not have it.
  if (!answer?.ok) await open(link)
}

async function open(link) {
  await self.clients.openWindow(link || '/studio')
}

// The browser has made another subscription: the server gets to know it, by the login of this browser.
self.addEventListener('pushsubscriptionchange', (event) => event.waitUntil(renewed(event)))

async function renewed(event) {
  const subscription =
    event.newSubscription ?? (await self.registration.pushManager.subscribe(event.oldSubscription?.options))
  await fetch('/api/v1/hooks', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ kind: 'push', subscription: subscription.toJSON() }),
  })
}
