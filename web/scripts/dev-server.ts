import type { Plugin, ProxyOptions } from 'vite'

const PAGES =
  /^\/(?:(admin)(?:\/.*)?|(session)\/[^/]+(?:\/[^/]+)?|(join|studio|moderate|archive)|(watch|embed|studio|stage|caption|moderate|approve)\/[^/]+|api\/v1\/(docs))$/

/** The shell of a page's address; null for what is no page. */
export function shellOf(path: string): string | null {
  if (path === '/') return 'index'
  // A link with a hall's code leads to a page of its own.
  if (/^\/join\/[^/]+$/.test(path)) return 'hall'
  return PAGES.exec(path)?.slice(1).find(Boolean) ?? null
}

/** A request for neither a shell nor a file of Vite goes to the server. */
export const SERVERS = '^/(?!src/|node_modules/|@|__|[a-z]+\\.html(?:\\?|$))'

/** In development pages come from their sources, with the configuration that the server at `server` puts into them. */
export function pagesOf(server: string): Plugin {
  return {
    name: 'streamer-pages',
    apply: 'serve',
    config: () => ({ server: { proxy: { [SERVERS]: { target: server, ws: true } satisfies ProxyOptions } } }),
    configureServer({ middlewares }) {
      middlewares.use((request, _response, next) => {
        const [path = '', query] = (request.url ?? '').split('?')
        const shell = shellOf(path)
        if (shell) request.url = `/${shell}.html${query ? `?${query}` : ''}`
        next()
      })
    },
    async transformIndexHtml(html, { originalUrl = '/' }) {
      const page = await fetch(server + originalUrl).then(
        (answer) => answer.text(),
        () => '',
      )
      const block = /<script type="application\/json" id="streamer-config">.*?<\/script>/s.exec(page)?.[0] ?? ''
      return html.replace('</head>', () => `${block}</head>`)
    },
  }
}
