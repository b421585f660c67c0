// Fails where what the watch page loads before its first play is more than the budget. Run after `npm run build`.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

const BUDGET_KB = 200
const dist = fileURLToPath(new URL('../dist/', import.meta.url))
let failed = false

for (const page of ['watch', 'embed']) {
  const html = readFileSync(`${dist}${page}.html`, 'utf8')
  const files = new Set([...html.matchAll(/(?:src|href)="\/(assets\/[^"]+\.(?:js|css))"/g)].map((match) => match[1]))
  // Static imports of scripts that the shell does not name load before the first play too.
  for (const file of files) {
    if (!file.endsWith('.js')) continue
    for (const match of readFileSync(dist + file, 'utf8').matchAll(/(?:from|import)\s*["']\.\/([^"']+\.js)["']/g)) {
      files.add(`assets/${match[1]}`)
    }
  }
  let total = 0
  for (const file of files) {
    const size = gzipSync(readFileSync(dist + file), { level: 9 }).length
    total += size
    console.log(`${page.padEnd(6)} ${(size / 1000).toFixed(1).padStart(7)} kB  ${file}`)
  }
  const over = total > BUDGET_KB * 1000
  failed ||= over
  console.log(
    `${page.padEnd(6)} ${(total / 1000).toFixed(1).padStart(7)} kB  of ${BUDGET_KB} kB${over ? ': TOO MUCH' : ''}\n`,
  )
}
process.exit(failed ? 1 : 0)
