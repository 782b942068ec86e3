import assert from 'node:assert/strict'
import { lstatSync, readFileSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, relative } from 'node:path'
import { test } from 'node:test'
import type { FileMatcher as Matcher } from 'app-builder-lib/out/fileMatcher.js'
import { z } from 'zod'
import { engineOfPackage } from '../../electron/host/engine.ts'
import { addonOfBuild, cardBuilds, folderOfBuild } from '../../engine/llama-cpp/card-builds.ts'
import { shippedParts } from '../../scripts/parts-list.ts'

const root = join(import.meta.dirname, '../..')
const require = createRequire(import.meta.url)
const { FileMatcher } = require('app-builder-lib/out/fileMatcher.js') as { FileMatcher: typeof Matcher }
const { getConfig, validateConfiguration } = require('app-builder-lib/out/util/config/config.js') as {
  getConfig: (folder: string, file: string, overrides: null) => Promise<unknown>
  validateConfiguration: (config: unknown, logger: { isEnabled: boolean; add: () => void }) => Promise<void>
}
const resource = z.array(z.object({ from: z.string(), to: z.string(), filter: z.array(z.string()).optional() }))
const configSchema = z.looseObject({
  files: z.array(z.union([z.string(), z.object({ filter: z.array(z.string()) })])),
  asarUnpack: z.array(z.string()),
  extraResources: resource,
  linux: z.looseObject({ extraResources: resource }),
  win: z.looseObject({ extraResources: resource }),
  mac: z.looseObject({ extraResources: resource }),
})
const lockSchema = z.object({
  packages: z.record(
    z.string(),
    z.looseObject({
      dev: z.boolean().optional(),
      devOptional: z.boolean().optional(),
      dependencies: z.record(z.string(), z.string()).optional(),
      optionalDependencies: z.record(z.string(), z.string()).optional(),
    }),
  ),
})
const config = configSchema.parse(await getConfig(root, join(root, 'electron-builder.yml'), null))
const { packages } = lockSchema.parse(JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')))

/** Says of a path from the root whether electron-builder's own matcher takes it for a platform. */
function selection(patterns: readonly string[], platform: string, arch: string): (path: string) => boolean {
  const expand = (pattern: string) => pattern.replaceAll('${platform}', platform).replaceAll('${arch}', arch)
  const filter = new FileMatcher(root, root, expand, [...patterns]).createFilter()
  return (path) => filter(join(root, path), lstatSync(join(root, path), { throwIfNoEntry: false }) ?? notThere)
}
const notThere = lstatSync(join(root, 'package.json'))
/** Of what `files` says, a package's files heed the exclusions alone. */
const selectionOfPackages = (platform: string, arch: string) =>
  selection(['**/*', ...patterns.filter((pattern) => pattern.startsWith('!'))], platform, arch)
const patterns = config.files.flatMap((entry) => (typeof entry === 'string' ? [entry] : entry.filter))

function* filesBelow(folder: string): Generator<string> {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) yield* filesBelow(path)
    else if (entry.isFile()) yield path
  }
}

test("the config meets electron-builder's own schema", async () => {
  const logger = { isEnabled: false, add: () => {} }
  await validateConfiguration(config, logger)
  await assert.rejects(validateConfiguration({ ...config, asarUnpacked: [] }, logger), /asarUnpacked/)
})

test('what is built goes in, and no sources, tests, tools or data', () => {
  const takes = selection(patterns, 'linux', 'x64')
  for (const path of ['package.json', 'out/main/main.js', 'out/preload/preload.cjs', 'out/renderer/index.html'])
    assert.ok(takes(path), path)
  assert.ok(takes('out/engine/entries/run.js') && takes('out/engine/data/parquet-worker.js'))
  const left = ['engine', 'electron', 'renderer', 'test', 'scripts', 'docs', 'resources']
  for (const file of left.flatMap((folder) => [...filesBelow(folder)])) assert.ok(!takes(file), file)
  for (const file of ['package-lock.json', 'tsconfig.json', 'README.md', '.gitignore']) assert.ok(!takes(file), file)
})

test('of native libraries each platform takes its own, outside the archive', () => {
  const unpacks = selection(config.asarUnpack, 'linux', 'x64')
  for (const [platform, arch] of [
    ['linux', 'x64'],
    ['linux', 'arm64'],
    ['win32', 'x64'],
    ['darwin', 'arm64'],
  ] as const) {
    const takes = selectionOfPackages(platform, arch)
    const native = ['onnxruntime-node', 'webgpu', 'better-sqlite3']
      .flatMap((name) => [...filesBelow(join('node_modules', name))])
      .filter((path) => /\.(node|dll|dylib|so)(\.\d+)*$/.test(path) && takes(path))
    const foreign = native.filter((path) => !path.includes(platform))
    assert.deepEqual(foreign, [])
    for (const name of ['onnxruntime-node', 'webgpu', 'better-sqlite3'])
      assert.ok(
        native.some((path) => path.startsWith(join('node_modules', name))),
        `${name} for ${platform} ${arch}`,
      )
    for (const path of native) assert.ok(unpacks(path), path)
  }
})

const library = (build: string) => join('node_modules/@node-llama-cpp', build, 'bins', build, 'llama-addon.node')

test('llama.cpp of the platform goes in, and not the one that npm installs beside it', () => {
  for (const [arch, other] of [
    ['x64', 'arm64'],
    ['arm64', 'x64'],
  ] as const) {
    const takes = selectionOfPackages('linux', arch)
    assert.ok(takes(library(`linux-${arch}`)) && !takes(library(`linux-${other}`)), arch)
  }
  assert.ok(selection(config.asarUnpack, 'linux', 'x64')(library('linux-x64')))
})

test('llama.cpp for graphics cards goes beside the archive, where the app looks for it', () => {
  for (const [name, platform] of [
    ['linux', 'linux-x64'],
    ['win', 'win32-x64'],
  ] as const) {
    const taken = config[name].extraResources.find(({ from }) => from === 'out/llama-cpp')!
    const takes = selection(taken.filter!, platform, 'x64')
    for (const build of cardBuilds(platform)) {
      const file = join(folderOfBuild(build), addonOfBuild(build))
      assert.equal(takes(file), build.name === 'vulkan', file)
      // One for another processor stays behind.
      if (build.name === 'vulkan') assert.ok(!selection(taken.filter!, platform, 'arm64')(file))
    }
    const { env } = engineOfPackage('/resources')
    assert.equal(env['SECATEUR_LLAMA_CPP_BUILDS'], join('/resources', taken.to))
  }
})

test("every entry of the app's packages goes in", () => {
  const takes = selectionOfPackages('linux', 'x64')
  const needed = Object.entries(packages).filter(
    ([path, { dev, devOptional }]) =>
      path !== '' &&
      !dev &&
      !devOptional &&
      !/node-(linux|win|darwin|bin)|tfjs-node-gpu|@node-llama-cpp\/linux-arm64/.test(path),
  )
  assert.ok(needed.length > 20)
  for (const [path] of needed) {
    if (lstatSync(join(root, path), { throwIfNoEntry: false }) === undefined) continue
    const name = path.split('node_modules/').at(-1)!
    let entry: string
    try {
      entry = createRequire(join(root, path, 'package.json')).resolve(join(root, path))
    } catch {
      continue // types alone, or no entry of that kind
    }
    assert.ok(takes(relative(root, entry)), `${name}: ${relative(root, entry)}`)
  }
})

test('Node goes beside the archive, as the lockfile pins it for each platform', () => {
  const all = (['linux', 'win', 'mac'] as const).flatMap((name) => config[name].extraResources.map(({ from }) => from))
  const named = all
    .filter((from) => from !== 'out/llama-cpp')
    .map((from) => /^node_modules\/([^/]+)\/bin\/node(\.exe)?$/.exec(from)![1]!)
  const pinned = Object.keys(packages[''] ? (packages['']['optionalDependencies'] ?? {}) : {})
  for (const name of named) {
    const arches = name.startsWith('node-bin-darwin')
      ? ['arm64']
      : name.startsWith('node-win')
        ? ['x64']
        : ['x64', 'arm64']
    for (const arch of arches) assert.ok(pinned.includes(name.replace('${arch}', arch)), `${name} ${arch}`)
  }
  // What is built is there once it is.
  for (const { from } of config.extraResources) assert.ok(from.startsWith('out/') || lstatSync(join(root, from)), from)
})

test('the list of parts names what is shipped, and no tool', () => {
  const { components, dependencies, metadata } = shippedParts()
  const names = components.map(({ name }) => name)
  for (const name of ['onnxruntime-node', 'better-sqlite3', 'svelte', 'uplot', 'electron', 'zod'])
    assert.ok(names.includes(name), name)
  for (const name of ['oxfmt', 'typescript', 'vite', 'playwright', 'electron-builder', '@tensorflow/tfjs-node-gpu'])
    assert.ok(!names.includes(name), name)
  assert.equal(metadata.component.name, 'secateur')
  for (const { name, package: part, version } of cardBuilds())
    assert.equal(
      components.some((one) => one.name === `@node-llama-cpp/${part}` && one.version === version),
      name === 'vulkan',
      part,
    )
  const known = new Set([metadata.component, ...components].map((part) => part['bom-ref']))
  for (const { ref, dependsOn } of dependencies)
    for (const part of [ref, ...dependsOn]) assert.ok(known.has(part), part)
})

// The formatter reads its syntax.
test('the workflow for Electron runs commands that there are', () => {
  const workflow = readFileSync(join(root, '.github/workflows/electron.yml'), 'utf8')
  const { scripts } = z
    .object({ scripts: z.record(z.string(), z.string()) })
    .parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')))
  const named = [...workflow.matchAll(/npm (?:run )?([\w:-]+)/g)].map(([, name]) => name!)
  assert.ok(named.includes('try-package') && named.includes('test'))
  for (const name of named) assert.ok(name in scripts, name)
})

// The registry's view of a new release may lack a platform's package: npm then drops it without a word, and `npm ci` fails.
test('every optional package that the lockfile names has an entry in it', () => {
  const missing: string[] = []
  for (const [path, { optionalDependencies = {} }] of Object.entries(packages)) {
    for (const name of Object.keys(optionalDependencies)) {
      const folders = path
        .split('/node_modules/')
        .map((_, index, parts) => parts.slice(0, index + 1).join('/node_modules/'))
      const places = ['', ...(path ? folders : [])].map((folder) =>
        folder ? `${folder}/node_modules/${name}` : `node_modules/${name}`,
      )
      if (!places.some((place) => place in packages)) missing.push(`${path || 'the app'} wants ${name}`)
    }
  }
  assert.deepEqual(missing, [])
})
