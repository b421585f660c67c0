/** The interface's two documents, OpenAPI for REST and AsyncAPI for Socket.IO, as chapters for readers. */

/** JSON Schema, as far as the two documents use it. */
export interface JsonSchema {
  $ref?: string
  type?: string
  format?: string
  const?: unknown
  enum?: readonly unknown[]
  anyOf?: readonly JsonSchema[]
  oneOf?: readonly JsonSchema[]
  items?: JsonSchema
  prefixItems?: readonly JsonSchema[]
  properties?: Readonly<Record<string, JsonSchema>>
  required?: readonly string[]
  additionalProperties?: JsonSchema | boolean
  description?: string
  default?: unknown
  pattern?: string
  minimum?: number
  maximum?: number
  exclusiveMinimum?: number
  minLength?: number
  maxLength?: number
  minItems?: number
  maxItems?: number
}

type Content = Readonly<Record<string, { schema: JsonSchema }>>

interface Operation {
  operationId: string
  summary: string
  tags: readonly string[]
  parameters?: readonly { name: string; in: string; required: boolean; schema: JsonSchema }[]
  requestBody?: { content: Content }
  responses: Readonly<Record<string, { content?: Content }>>
  security: readonly object[]
}

interface Info {
  title: string
  version: string
  description: string
}

export interface OpenApi {
  info: Info
  paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  components: { schemas: Readonly<Record<string, JsonSchema>> }
}

export interface AsyncApi {
  info: Info
  channels: Readonly<Record<string, { address: string; summary: string; messages: Readonly<Record<string, unknown>> }>>
  components: {
    messages: Readonly<Record<string, { name: string; summary?: string; payload: JsonSchema }>>
    schemas: Readonly<Record<string, JsonSchema>>
  }
}

/** A piece of a type's notation: text, or the name of a type of the same document. */
export type Part = string | { name: string; anchor: string }

export interface Field {
  name: string
  type: readonly Part[]
  required: boolean
  about: string
}

export interface Entry {
  anchor: string
  /** A method, `command` or `event`. */
  kind: string
  name: string
  about: string
  /** Of REST: everybody may ask. */
  open: boolean | null
  /** In the path and in the query. */
  parameters: readonly Field[]
  takes: readonly Part[] | null
  gives: readonly Part[] | null
  errors: readonly string[]
}

export interface Chapter {
  anchor: string
  title: string
  about: string
  entries: readonly Entry[]
}

export interface Type {
  anchor: string
  name: string
  about: string
  /** Of what is no object with named fields. */
  notation: readonly Part[] | null
  fields: readonly Field[]
}

export interface Interface {
  info: Info
  chapters: readonly Chapter[]
  types: readonly Type[]
}

const between = (least: number | undefined, most: number | undefined) =>
  least === undefined && most === undefined ? '' : ` ${least ?? ''}…${most ?? ''}`

/** The bounds of a value, in signs that need no language. */
function bounds(schema: JsonSchema): string {
  const { minimum, maximum, exclusiveMinimum, minLength, maxLength, pattern } = schema
  const above = exclusiveMinimum === undefined ? '' : ` >${exclusiveMinimum}`
  return `${between(minimum, maximum)}${above}${between(minLength, maxLength)}${pattern ? ` /${pattern}/` : ''}`
}

const joined = (lists: readonly (readonly Part[])[], by: string): Part[] =>
  lists.flatMap((parts, index) => (index ? [by, ...parts] : parts))

/** The notation of a type, much as TypeScript writes it; `document` is the first part of the anchors. */
export function notation(schema: JsonSchema, document: string): Part[] {
  const inner = (one: JsonSchema) => notation(one, document)
  if (schema.$ref) {
    const name = schema.$ref.slice(schema.$ref.lastIndexOf('/') + 1)
    return [{ name, anchor: `${document}-${name}` }]
  }
  if ('const' in schema) return [JSON.stringify(schema.const)]
  if (schema.enum) return [schema.enum.map((value) => JSON.stringify(value)).join(' | ')]
  const alternatives = schema.anyOf ?? schema.oneOf
  if (alternatives) return joined(alternatives.map(inner), ' | ')
  if (schema.prefixItems) return ['[', ...joined(schema.prefixItems.map(inner), ', '), ']']
  if (schema.type === 'array') {
    return ['[', ...inner(schema.items ?? {}), ', …]', between(schema.minItems, schema.maxItems)].filter(Boolean)
  }
  if (schema.properties) {
    const fields = Object.entries(schema.properties).map(([name, one]) => [
      `${name}${schema.required?.includes(name) ? '' : '?'}: `,
      ...inner(one),
    ])
    return ['{ ', ...joined(fields, ', '), ' }']
  }
  if (typeof schema.additionalProperties === 'object')
    return ['{ [name]: ', ...inner(schema.additionalProperties), ' }']
  return [`${schema.type ?? 'any'}${schema.format ? ` ${schema.format}` : ''}${bounds(schema)}`]
}

function field(name: string, schema: JsonSchema, required: boolean, document: string): Field {
  const given = schema.default === undefined || schema.default === null ? '' : ` = ${JSON.stringify(schema.default)}`
  return {
    name,
    type: [...notation(schema, document), given].filter(Boolean),
    required,
    about: schema.description ?? '',
  }
}

function typesOf(schemas: Readonly<Record<string, JsonSchema>>, document: string): Type[] {
  return Object.entries(schemas).map(([name, schema]) => ({
    anchor: `${document}-${name}`,
    name,
    about: schema.description ?? '',
    notation: schema.properties ? null : notation(schema, document),
    fields: Object.entries(schema.properties ?? {}).map(([key, one]) =>
      field(key, one, schema.required?.includes(key) ?? false, document),
    ),
  }))
}

/** A body by its media types; those that are no JSON by their names. */
function bodyOf(content: Content | undefined, document: string): Part[] | null {
  if (!content) return null
  const kinds = Object.entries(content).map(([kind, { schema }]) =>
    kind === 'application/json' ? notation(schema, document) : [kind],
  )
  return joined(kinds, ' | ')
}

/** REST by tag, in the order of the document. */
export function readRest(openapi: OpenApi): Interface {
  const chapters = new Map<string, Entry[]>()
  for (const [path, methods] of Object.entries(openapi.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const codes = Object.keys(operation.responses)
      const done = codes.find((code) => code.startsWith('2')) ?? ''
      const entry: Entry = {
        anchor: `rest-${operation.operationId}`,
        kind: method.toUpperCase(),
        name: path,
        about: operation.summary,
        open: operation.security.some((one) => Object.keys(one).length === 0),
        parameters: (operation.parameters ?? []).map((one) => field(one.name, one.schema, one.required, 'rest')),
        takes: bodyOf(operation.requestBody?.content, 'rest'),
        gives: bodyOf(operation.responses[done]?.content, 'rest'),
        errors: codes.filter((code) => /^[45]/.test(code)),
      }
      const tag = operation.tags[0] ?? ''
      chapters.set(tag, [...(chapters.get(tag) ?? []), entry])
    }
  }
  return {
    info: openapi.info,
    chapters: [...chapters].map(([title, entries]) => ({ anchor: `rest-${title}-`, title, about: '', entries })),
    types: typesOf(openapi.components.schemas, 'rest'),
  }
}

/** Socket.IO by namespace: commands, then what is told. */
export function readSocket(asyncapi: AsyncApi): Interface {
  const { messages, schemas } = asyncapi.components
  const chapters = Object.entries(asyncapi.channels).map(([space, channel]) => {
    const entries = Object.keys(channel.messages).flatMap((key): Entry[] => {
      const message = messages[key]
      if (!message) return []
      const told = key.startsWith('event.')
      // Of an event the list's entry is the same for all: what differs is `data`.
      const payload = told ? (message.payload.properties?.['data'] ?? message.payload) : message.payload
      const sent = key.startsWith(`${space}.`)
      return [
        {
          anchor: `socket-${space}-${key}`,
          kind: sent ? 'command' : 'event',
          name: told ? key.slice('event.'.length) : message.name,
          about: message.summary ?? '',
          open: null,
          parameters: [],
          takes: sent ? notation(payload, 'socket') : null,
          gives: sent ? null : notation(payload, 'socket'),
          errors: [],
        },
      ]
    })
    return { anchor: `socket-${space}-`, title: channel.address, about: channel.summary, entries }
  })
  return { info: asyncapi.info, chapters, types: typesOf(schemas, 'socket') }
}

/** Those entries that have all of the words; chapters without any are left out. */
export function filtered(chapters: readonly Chapter[], words: string): Chapter[] {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean)
  const has = ({ kind, name, about }: Entry) => {
    const text = `${kind} ${name} ${about}`.toLowerCase()
    return wanted.every((word) => text.includes(word))
  }
  return chapters
    .map((chapter) => ({ ...chapter, entries: chapter.entries.filter(has) }))
    .filter(({ entries }) => entries.length > 0)
}

/** A text of the documents, in which every second piece is code. */
export const pieces = (text: string): string[] => text.split(/`+/)
