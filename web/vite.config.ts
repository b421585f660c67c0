import { fileURLToPath } from 'node:url'
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig, type Plugin } from 'vitest/config'
import { earlyScript } from './scripts/early-script.ts'
import { trimmedHls } from './scripts/hls-build.ts'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** One shell per role; the server puts its configuration into it and serves it for every address of that role. */
const SHELLS = [
  'index',
  'watch',
  'embed',
  'session',
  'studio',
  'admin',
  'caption',
  'join',
  'stage',
  'hall',
  'moderate',
] as const

/** Asks for the playlist before the player's code is here. */
const EARLY = here('./src/pages/watch/early.ts')

/** In development the addresses of the real server lead to the shells; everything else goes to a running Streamer. */
const SERVER = process.env['STREAMER_URL'] ?? 'http://127.0.0.1:8080'

function roomAddresses(): Plugin {
  return {
    name: 'streamer-room-addresses',
    configureServer(server) {
      server.middlewares.use((request, _response, next) => {
        const [, role, what] =
          /^\/(watch|embed|session|studio|admin|caption|join|stage|moderate)(\/[^/.]*)?(\?.*)?$/.exec(
            request.url ?? '',
          ) ?? []
        // A link with a hall's code leads to a page of its own.
        if (role) request.url = role === 'join' && what ? '/hall.html' : `/${role}.html`
        next()
      })
    },
  }
}

export default defineConfig({
  plugins: [svelte(), trimmedHls(), roomAddresses(), earlyScript(EARLY, ['watch', 'embed'])],
  resolve: { alias: { $lib: here('./src/lib'), $features: here('./src/features') } },
  build: {
    target: 'es2022',
    // The pages' policy allows no inline script, and data: addresses for pictures only.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: { ...Object.fromEntries(SHELLS.map((shell) => [shell, here(`./${shell}.html`)])), early: EARLY },
    },
  },
  server: {
    proxy: Object.fromEntries(
      ['/api', '/live', '/whip', '/whep', '/replay', '/socket.io'].map((path) => [path, { target: SERVER, ws: true }]),
    ),
  },
  // Each test makes what it needs: modules are loaded once for all files of a worker.
  test: { include: ['src/**/*.test.ts'], environment: 'node', isolate: false, maxWorkers: 2 },
})
