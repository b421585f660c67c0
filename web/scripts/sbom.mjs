// Prints the packages of package-lock.json as CycloneDX: Debian's npm has no `npm sbom`.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const read = (name) => JSON.parse(readFileSync(fileURLToPath(new URL(`../${name}`, import.meta.url)), 'utf8'))
const { name } = read('package.json')
const components = new Map()
for (const [path, locked] of Object.entries(read('package-lock.json').packages)) {
  if (!path) continue
  const full = locked.name ?? path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)
  const purl = `pkg:npm/${full.replace('@', '%40')}@${locked.version}`
  const [, algorithm, hash] = /^(sha\d+)-(\S+)/.exec(locked.integrity ?? '') ?? []
  components.set(purl, {
    'bom-ref': purl,
    type: 'library',
    name: full,
    version: locked.version,
    purl,
    scope: locked.dev || locked.optional ? 'optional' : 'required',
    ...(hash && {
      hashes: [{ alg: algorithm.replace('sha', 'SHA-'), content: Buffer.from(hash, 'base64').toString('hex') }],
    }),
    ...(locked.license && { licenses: [{ expression: locked.license }] }),
  })
}
const metadata = { component: { 'bom-ref': name, type: 'application', name } }
const bom = { bomFormat: 'CycloneDX', specVersion: '1.5', version: 1, metadata, components: [...components.values()] }
console.log(JSON.stringify(bom, null, 2))
