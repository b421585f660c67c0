import { fileURLToPath } from 'node:url'
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vitest/config'
import { brotli } from './scripts/brotli.ts'
import { pagesOf } from './scripts/dev-server.ts'
import { earlyScript } from './scripts/early-script.ts'
import { trimmedHls } from './scripts/hls-build.ts'
import { notKept } from './scripts/not-kept.ts'
import { preloadFont } from './scripts/preload-font.ts'

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
  'docs',
  'archive',
  'approve',
] as const

/** Asks for the playlist before the player's code is here. */
const EARLY = here('./src/pages/watch/early.ts')

/** In development: a running Streamer. */
const SERVER = process.env['STREAMER_URL'] ?? 'http://127.0.0.1:8080'

export default defineConfig({
  plugins: [
    svelte(),
    trimmedHls(),
    pagesOf(SERVER),
    earlyScript(EARLY, ['watch', 'embed']),
    preloadFont('inter-latin.woff2', ['watch', 'embed']),
    brotli(),
    notKept(),
  ],
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
  // Each test makes what it needs: modules are loaded once for all files. Another worker would only load them again.
  test: {
    include: ['{src,scripts}/**/*.test.ts'],
    environment: 'node',
    isolate: false,
    pool: 'threads',
    maxWorkers: 1,
    // It ends one that hangs. They run at the lowest priority, beside whole servers.
    testTimeout: 60_000,
    // What Svelte and TypeScript became stays in node_modules, by content: half of the time of a run.
    experimental: { fsModuleCache: true },
  },
})
