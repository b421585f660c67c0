import type { Plugin } from 'vite'

/**
 * Asks for the typeface together with the page's code: the first words stand in it, and nothing moves when it comes.
 *
 * @param font name of the font's file
 * @param without shells that must not: those where the first picture matters more
 */
export function preloadFont(font: string, without: readonly string[]): Plugin {
  return {
    name: 'streamer-preload-font',
    apply: 'build',
    transformIndexHtml: {
      order: 'post',
      handler(_html, { bundle, filename }) {
        if (without.some((shell) => filename.endsWith(`/${shell}.html`))) return []
        const asset = Object.values(bundle ?? {}).find(
          (output) => output.type === 'asset' && output.names.includes(font),
        )
        if (!asset) throw new Error(`${font} is in no stylesheet`)
        const attrs = { rel: 'preload', as: 'font', type: 'font/woff2', crossorigin: true, href: `/${asset.fileName}` }
        return [{ tag: 'link', attrs, injectTo: 'head' }]
      },
    },
  }
}
