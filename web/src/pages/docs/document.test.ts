import { describe, expect, it } from 'vitest'
import { filtered, notation, type OpenApi, type Part, pieces, readRest, readSocket, type JsonSchema } from './document'

const text = (parts: readonly Part[] | null) =>
  (parts ?? []).map((part) => (typeof part === 'string' ? part : `<${part.anchor}>`)).join('')
const info = { title: 'T', version: '1', description: '' }

describe('notation', () => {
  it.each<[string, JsonSchema]>([
    ['string 1…200', { type: 'string', minLength: 1, maxLength: 200 }],
    ['string /^a$/', { type: 'string', pattern: '^a$' }],
    ['string date-time | null', { anyOf: [{ type: 'string', format: 'date-time' }, { type: 'null' }] }],
    ['integer 0…', { type: 'integer', minimum: 0 }],
    ['number >0', { type: 'number', exclusiveMinimum: 0 }],
    ['[<rest-Venue>, …] 1…', { type: 'array', items: { $ref: '#/components/schemas/Venue' }, minItems: 1 }],
    ['[string, integer]', { type: 'array', prefixItems: [{ type: 'string' }, { type: 'integer' }] }],
    ['{ [name]: boolean }', { type: 'object', additionalProperties: { type: 'boolean' } }],
    ['{ id: string, at?: any }', { properties: { id: { type: 'string' }, at: {} }, required: ['id'] }],
    ['"a" | "b"', { enum: ['a', 'b'] }],
    ['true', { const: true }],
  ])('%s', (written, schema) => {
    expect(text(notation(schema, 'rest'))).toBe(written)
  })
})

const schema = { $ref: '#/components/schemas/Room' }
const openapi: OpenApi = {
  info,
  paths: {
    '/rooms': {
      post: {
        operationId: 'add',
        summary: 'Make a room',
        tags: ['rooms'],
        requestBody: { content: { 'application/json': { schema } } },
        responses: {
          '201': { content: { 'application/json': { schema }, 'text/plain': { schema: { type: 'string' } } } },
          '409': {},
          default: {},
        },
        security: [{ grant: [] }],
      },
      get: {
        operationId: 'list',
        summary: 'List rooms',
        tags: ['rooms'],
        parameters: [{ name: 'limit', in: 'query', required: false, schema: { type: 'integer', default: 50 } }],
        responses: { '200': {} },
        security: [{}, { grant: [] }],
      },
    },
  },
  components: { schemas: { Room: { properties: { id: { type: 'string' } }, required: ['id'] } } },
}

it('reads REST by tag', () => {
  const { chapters, types } = readRest(openapi)
  expect(chapters.map(({ title, entries }) => [title, entries.length])).toEqual([['rooms', 2]])
  const [add, list] = chapters[0]!.entries
  expect([add!.kind, add!.open, text(add!.takes), text(add!.gives)]).toEqual([
    'POST',
    false,
    '<rest-Room>',
    '<rest-Room> | text/plain',
  ])
  expect(add!.errors).toEqual(['409'])
  expect([list!.open, list!.takes, text(list!.parameters[0]!.type)]).toEqual([true, null, 'integer = 50'])
  expect(types[0]).toMatchObject({ anchor: 'rest-Room', notation: null, fields: [{ name: 'id', required: true }] })
})

it('finds entries that have all words, and leaves out chapters without any', () => {
  const { chapters } = readRest(openapi)
  expect(filtered(chapters, 'GET room').flatMap(({ entries }) => entries.map(({ name }) => name))).toEqual(['/rooms'])
  expect(filtered(chapters, 'nothing')).toEqual([])
})

it('reads Socket.IO by namespace: of commands the payload, of events what differs', () => {
  const { chapters } = readSocket({
    info,
    channels: {
      audience: { address: '/audience', summary: 'Open.', messages: { 'audience.chat.send': {}, 'event.you': {} } },
    },
    components: {
      messages: {
        'audience.chat.send': { name: 'chat.send', summary: 'Needs no grant.', payload: schema },
        'event.you': { name: 'events', payload: { properties: { type: { const: 'you' }, data: { type: 'string' } } } },
      },
      schemas: {},
    },
  })
  expect(chapters[0]!.entries.map((one) => [one.kind, one.name, text(one.takes), text(one.gives)])).toEqual([
    ['command', 'chat.send', '<socket-Room>', ''],
    ['event', 'you', '', 'string'],
  ])
})

it('parts code from text', () => {
  expect(pieces('As ``a`` and `b`.')).toEqual(['As ', 'a', ' and ', 'b', '.'])
})
