import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync } from 'node:zlib'
import type { Plugin } from 'vite'

/** Beside each script and style of the build its brotli (RFC 7932), a seventh less than gzip: `name.js.br`. */
export function brotli(): Plugin {
  return {
    name: 'streamer-brotli',
    apply: 'build',
    writeBundle({ dir }) {
      const folder = join(dir ?? '', 'assets')
      for (const name of readdirSync(folder)) {
        if (!/\.(js|css)$/.test(name)) continue
        const path = join(folder, name)
        writeFileSync(`${path}.br`, brotliCompressSync(readFileSync(path)))
      }
    },
  }
}
