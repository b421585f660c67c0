/** The server's own types: `python web/scripts/types.py` makes them from its OpenAPI document and its socket's messages. */
import type { components as socket } from './events'
import type { components as rest } from './schema'

/** What REST takes and answers. */
export type Schema = rest['schemas']
/** What Socket.IO tells. */
export type SocketSchema = socket['schemas']
