import type { Plugin } from 'vite'

/**
 * Puts a script of its own, loaded beside everything else (`async`), into some shells. As a `<script>` in the shell it would
 * be bundled with the shell's entry, and so run only after all that the entry imports.
 *
 * @param source path of the script's source, which must be an entry of the build
 */
export function earlyScript(source: string, shells: readonly string[]): Plugin {
  return {
    name: 'streamer-early-script',
    apply: 'build',
    transformIndexHtml: {
      order: 'post',
      handler(_html, { bundle, filename }) {
        if (!shells.some((shell) => filename.endsWith(`${shell}.html`))) return []
        const chunk = Object.values(bundle ?? {}).find(
          (output) => output.type === 'chunk' && output.facadeModuleId === source,
        )
        if (!chunk) throw new Error(`no chunk was made of ${source}`)
        return [
          {
            tag: 'script',
            attrs: { type: 'module', async: true, crossorigin: true, src: `/${chunk.fileName}` },
            injectTo: 'head-prepend',
          },
        ]
      },
    },
  }
}
