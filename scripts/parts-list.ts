// Writes out/sbom.cdx.json, which goes into a package: every package from npm that the app ships, with versions and licences,
// as CycloneDX has it (a software bill of materials).
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { type CardBuild, cardBuilds } from '../engine/llama-cpp/card-builds.ts'
import { globSync } from './glob.mjs'

const root = join(import.meta.dirname, '..')

const partSchema = z.looseObject({ 'bom-ref': z.string(), name: z.string(), version: z.string() })
const listSchema = z.looseObject({
  bomFormat: z.literal('CycloneDX'),
  metadata: z.looseObject({ component: partSchema }),
  components: z.array(partSchema),
  dependencies: z.array(z.looseObject({ ref: z.string(), dependsOn: z.array(z.string()).default([]) })),
})
type PartsList = z.infer<typeof listSchema>

const packageSchema = z.object({
  name: z.string(),
  dependencies: z.record(z.string(), z.string()),
})

/**
 * What is shipped: the packages that the app imports, those that the build puts into the renderer, Node and llama.cpp of this platform,
 * the latter for graphics cards too, and Electron. What only builds, tests and what a user may install later are left out.
 *
 * @throws Error where npm is too old to list packages, or lists one not that is needed
 */
export function shippedParts(): PartsList {
  const { name, dependencies } = packageSchema.parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')))
  const all = listSchema.parse(JSON.parse(listOfNpm()))
  const next = new Map(all.dependencies.map(({ ref, dependsOn }) => [ref, dependsOn]))
  const own = all.metadata.component['bom-ref']
  const direct = new Map(next.get(own)!.map((ref) => [ref.slice(0, ref.lastIndexOf('@')), ref]))
  const refOf = (wanted: string) =>
    direct.get(wanted) ?? fail(`npm lists no package "${wanted}": is it installed as package-lock.json says?`)
  const node = [...direct.keys()].filter((part) => /^node-(linux|win|bin-darwin)-|^@node-llama-cpp\//.test(part))
  const whole = [...Object.keys(dependencies), ...importedBy('renderer/src'), ...node].map(refOf)
  // Electron's own packages only download it.
  const shipped = new Set([refOf('electron'), ...reached(whole, next)])
  const forCards = cardBuilds()
    .filter(({ name: build }) => build === 'vulkan')
    .map(partOf)
  return {
    ...all,
    metadata: { ...all.metadata, component: { ...all.metadata.component, name } },
    components: [...all.components.filter((part) => shipped.has(part['bom-ref'])), ...forCards],
    dependencies: [
      { ref: own, dependsOn: [refOf('electron'), ...whole, ...forCards.map((part) => part['bom-ref'])] },
      ...forCards.map((part) => ({ ref: part['bom-ref'], dependsOn: [] })),
      ...all.dependencies.filter(({ ref }) => shipped.has(ref) && ref !== own),
    ].map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((part) => shipped.has(part)) })),
  }
}

/** A build for graphics cards as npm would list it, which installs none. */
function partOf({ package: name, version, integrity }: CardBuild): z.infer<typeof partSchema> {
  const ref = `@node-llama-cpp/${name}@${version}`
  return {
    'bom-ref': ref,
    type: 'library',
    name: `@node-llama-cpp/${name}`,
    version,
    scope: 'required',
    purl: `pkg:npm/%40node-llama-cpp/${name}@${version}`,
    hashes: [{ alg: 'SHA-512', content: Buffer.from(integrity.slice('sha512-'.length), 'base64').toString('hex') }],
    licenses: [{ license: { id: 'MIT' } }],
  }
}

function listOfNpm(): string {
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
  const flags = ['sbom', '--sbom-format', 'cyclonedx', '--sbom-type', 'application']
  try {
    return execFileSync(npm, flags, { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 27, shell: npm.endsWith('.cmd') })
  } catch (error) {
    return fail(`"npm ${flags.join(' ')}" failed; npm 10 or later has it: ${(error as Error).message}`)
  }
}

/** Packages that files below a folder import by name. */
function importedBy(folder: string): string[] {
  const imports = /(?:from|import)\s*\(?\s*'((?:@[\w.-]+\/)?[a-z][\w.-]*)(?:\/[^']*)?'/g
  const files = globSync(join(root, folder), /\.(ts|svelte)$/).map((file) => readFileSync(file, 'utf8'))
  return [...new Set(files.flatMap((text) => [...text.matchAll(imports)].map(([, name]) => name!)))]
}

function reached(from: readonly string[], next: ReadonlyMap<string, readonly string[]>): Set<string> {
  const found = new Set<string>()
  const visit = [...from]
  for (let ref = visit.pop(); ref !== undefined; ref = visit.pop()) {
    if (found.has(ref)) continue
    found.add(ref)
    visit.push(...(next.get(ref) ?? []))
  }
  return found
}

function fail(message: string): never {
  throw new Error(message)
}

if (import.meta.main) {
  const list = shippedParts()
  mkdirSync(join(root, 'out'), { recursive: true })
  writeFileSync(join(root, 'out/sbom.cdx.json'), `${JSON.stringify(list, null, 2)}\n`)
  console.log(`${list.components.length} packages in out/sbom.cdx.json`)
}
