import { expect, it } from 'vitest'
import { survivesVersions } from '$lib/api/versions'
import type { Schema } from '$lib/api/types'
import { problemText } from './locales/reach'
import { bytesOf, PushRefused, subscribe } from './push'
import { dutyLists, hookBody, readDuty, readHook, readMessage } from './reach'

const AT = '2026-11-26T08:00:00Z'
const PROBLEM: Schema['HookProblem'] = { code: 'status_500', message: 'Answers with 500.', since: AT }
const HOOK: Schema['HookView'] = {
  id: 'h',
  kind: 'webhook',
  label: 'Team',
  address: 'https://chat.example/hook',
  language: 'en',
  always: true,
  created: AT,
  sent: AT,
  problem: PROBLEM,
}
const ALARM = { id: 'a', room: 'salle', cause: 'Black' } as Schema['RoomAlarmView']
const DUTY: Schema['DutyView'] = {
  id: 'd',
  venue: 'lyon',
  person: 'g',
  label: 'Ann',
  since: AT,
  until: AT,
  state: 'on',
  follows: null,
  reachable: true,
  own: true,
  alarms: { open: [ALARM], taken: [], snoozed: [] },
}
const MESSAGE: Schema['HookMessageView'] = {
  id: 'm',
  kind: 'began',
  room: 'salle',
  cause: 'Black',
  created: AT,
  sent: null,
  attempts: 2,
  next: AT,
  problem: PROBLEM,
}

it('reads what older and newer servers tell', () => {
  survivesVersions(readHook, HOOK, ['id', 'kind'], ['kind'])
  survivesVersions(readDuty, DUTY, ['id', 'until', 'state'], ['state'])
  survivesVersions(readMessage, MESSAGE, ['id', 'created'], ['kind'])
  expect(readDuty(DUTY)?.alarms?.open).toEqual([ALARM])
})

it('sends what goes with a way, and nothing else', () => {
  const form = { address: ' https://ntfy.example/topic ', label: '', token: 'tk', always: false }
  expect(hookBody({ ...form, kind: 'ntfy' }, 'fr')).toEqual({
    kind: 'ntfy',
    label: '',
    always: false,
    language: 'fr',
    url: 'https://ntfy.example/topic',
    token: 'tk',
  })
  expect(hookBody({ ...form, kind: 'mail', address: 'a@example.org' }, 'en')).toEqual({
    kind: 'mail',
    label: '',
    always: false,
    language: 'en',
    mail: 'a@example.org',
  })
})

it('lists duties venue by venue without those that are over', () => {
  const duties = [DUTY, { ...DUTY, id: 'over', state: 'over' }, { ...DUTY, id: 'far', venue: 'elsewhere' }]
  const lists = dutyLists(
    duties.map(readDuty).filter((one) => one !== null),
    [
      { id: 'lyon', name: 'Lyon' },
      { id: 'paris', name: 'Paris' },
    ],
  )
  expect(lists.map(({ name, duties }) => [name, duties.map(({ id }) => id)])).toEqual([
    ['Lyon', ['d']],
    ['Paris', []],
    ['elsewhere', ['far']],
  ])
})

it('has words for every reason', () => {
  expect(problemText('status_500')).toContain('500')
  expect(problemText('out_of_scope')).toBe(problemText('forbidden'))
  expect(problemText('something_new')).toContain('something_new')
})

// Of RFC 8291, appendix A.
const KEY = 'BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8'

function browser(permission: NotificationPermission, before: PushSubscription | null) {
  const did: string[] = []
  const made = { toJSON: () => ({ endpoint: 'https://push.example/1', keys: { p256dh: 'p', auth: 'a' } }) }
  const pushManager = {
    getSubscription: async () => before,
    subscribe: async (options: PushSubscriptionOptionsInit) => {
      expect(options.userVisibleOnly).toBe(true)
      expect(options.applicationServerKey).toEqual(bytesOf(KEY))
      did.push('subscribed')
      return made
    },
  }
  const serviceWorker = {
    register: async (address: string) => void did.push(address),
    ready: Promise.resolve({ pushManager }),
  } as unknown as ServiceWorkerContainer
  const notification = { requestPermission: async () => permission } as unknown as typeof Notification
  return { did, browser: { serviceWorker, notification, wantsInstalling: false } }
}

it('subscribes with the server’s key, and drops a subscription of another', async () => {
  const other = {
    options: { applicationServerKey: new Uint8Array(65).buffer },
    unsubscribe: async () => void made.did.push('unsubscribed'),
  } as unknown as PushSubscription
  const made = browser('granted', other)
  const subscription = await subscribe(KEY, made.browser)
  expect(subscription.endpoint).toBe('https://push.example/1')
  expect(made.did).toEqual(['/service-worker.js', 'unsubscribed', 'subscribed'])
  expect(bytesOf(KEY)).toHaveLength(65)
})

it('says why a browser takes no push messages', async () => {
  const { browser: granted } = browser('granted', null)
  const { browser: denied } = browser('denied', null)
  await expect(subscribe(KEY, denied)).rejects.toEqual(new PushRefused('denied'))
  await expect(subscribe(KEY, { ...granted, wantsInstalling: true })).rejects.toEqual(new PushRefused('install'))
  await expect(subscribe(KEY, { ...granted, serviceWorker: undefined })).rejects.toEqual(new PushRefused('unsupported'))
})
