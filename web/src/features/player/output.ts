/** An output's addresses, as paths. */
export interface Output {
  playlist: string
  still: string
}

/** A room's public output. */
export function outputOf(room: string): Output {
  const folder = `/live/${encodeURIComponent(room)}`
  return { playlist: `${folder}/index.m3u8`, still: `${folder}/still.jpg` }
}
