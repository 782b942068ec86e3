import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { create } from 'tar'
import { z } from 'zod'
import {
  addonOfBuild,
  type CardBuild,
  cardBuilds,
  folderOfBuild,
  howToInstall,
} from '../../../engine/llama-cpp/card-builds.ts'
import { findCardBuilds, findInstalled, findLlamaCpp, type LlamaCpp } from '../../../engine/llama-cpp/installed.ts'
import { keptFolder, keyOf, writeNote } from '../../../engine/llama-cpp/kept-files.ts'
import { openOnLlamaCpp } from '../../../engine/llama-cpp/open.ts'
import { openCheckpoint } from '../../../engine/models/checkpoint.ts'
import { installBuild } from '../../../scripts/llama-cpp/install-build.ts'

const root = join(import.meta.dirname, '../../..')
const folder = mkdtempSync(join(tmpdir(), 'secateur-card-builds-'))
process.env['XDG_CACHE_HOME'] = join(folder, 'cache')
after(() => rmSync(folder, { recursive: true, force: true }))

test('builds for cards are of the version of the build for the processor, and pinned by their content', () => {
  const { optionalDependencies } = z
    .object({ optionalDependencies: z.record(z.string(), z.string()) })
    .parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')))
  for (const [platform, processor] of [
    ['linux-x64', 'linux-x64'],
    ['win32-x64', 'win-x64'],
  ] as const) {
    const builds = cardBuilds(platform)
    assert.deepEqual(
      builds.map(({ name }) => name),
      ['cuda', 'vulkan'],
    )
    for (const { version, integrity } of builds) {
      assert.equal(version, optionalDependencies[`@node-llama-cpp/${processor}`])
      assert.match(integrity, /^sha512-[A-Za-z0-9+/]{86}==$/)
    }
  }
  assert.deepEqual(cardBuilds('darwin-arm64'), [])
  assert.match(howToInstall(undefined, 'linux-x64')!, /npm run install-llama-cpp -- cuda\|vulkan/)
  assert.equal(howToInstall(undefined, 'darwin-arm64'), null)
})

/** A package as the registry has it, and the build that it is pinned as. */
async function packed(files: Record<string, string>): Promise<{ build: CardBuild; data: Buffer }> {
  const from = mkdtempSync(join(folder, 'package-'))
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(from, 'package', name)), { recursive: true })
    writeFileSync(join(from, 'package', name), text)
  }
  await create({ file: join(from, 'packed.tgz'), cwd: from, gzip: true }, ['package'])
  const data = readFileSync(join(from, 'packed.tgz'))
  const integrity = `sha512-${createHash('sha512').update(data).digest('base64')}`
  const named = { name: 'vulkan', package: 'here-vulkan', version: '1.2.3' } as const
  return { build: { ...named, integrity, bytes: data.length, unpackedBytes: 1000 }, data }
}
const addon = addonOfBuild({ package: 'here-vulkan' })

/** A registry that has one file; it breaks off in the middle where it is told to. */
async function serving(data: Buffer, use: (registry: string) => Promise<void>, breaks = false): Promise<string[]> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url!)
    if (!request.url!.endsWith('/-/here-vulkan-1.2.3.tgz')) return response.writeHead(404).end()
    response.writeHead(200, { 'content-length': data.length })
    if (!breaks) return response.end(data)
    response.write(data.subarray(0, 100), () => response.destroy())
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  try {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
  } finally {
    server.close()
  }
  return asked
}

test('a build is fetched once, whole, and in place of another version', async () => {
  const { build, data } = await packed({ [addon]: 'library', 'bins/here-vulkan/llama-addon.lib': 'x', LICENSE: 'MIT' })
  const into = join(folder, 'into')
  mkdirSync(join(into, 'here-vulkan-1.2.2'), { recursive: true })
  mkdirSync(join(into, 'here-vulkan-ext-1.2.2'))
  let heard = 0
  const asked = await serving(data, async (registry) => {
    const settings = { registry, into, onBytes: (bytes: number) => void (heard = bytes) }
    assert.equal(await installBuild(build, settings), join(into, 'here-vulkan-1.2.3'))
    await installBuild(build, settings)
  })
  assert.deepEqual(asked, ['/@node-llama-cpp/here-vulkan/-/here-vulkan-1.2.3.tgz'])
  assert.equal(heard, data.length)
  assert.equal(readFileSync(join(into, folderOfBuild(build), addon), 'utf8'), 'library')
  assert.ok(!existsSync(join(into, folderOfBuild(build), 'bins/here-vulkan/llama-addon.lib')))
  assert.deepEqual(readdirSync(into).toSorted(), ['here-vulkan-1.2.3', 'here-vulkan-ext-1.2.2'])
})

test('another file than the pinned one is not unpacked, and nothing is left of what fails', async () => {
  const { build, data } = await packed({ [addon]: 'library' })
  const other = await packed({ [addon]: 'another library' })
  const into = join(folder, 'refused')
  const refused = (settings: { registry: string }, wanted: CardBuild, error: object) =>
    assert.rejects(installBuild(wanted, { ...settings, into }), error)
  await serving(other.data, (registry) =>
    refused({ registry }, build, {
      kind: 'bad-file',
      message: /here-vulkan-1\.2\.3\.tgz: is not the file that is pinned/,
    }),
  )
  // One that is longer is not read to its end.
  await serving(Buffer.concat([data, data]), (registry) => refused({ registry }, build, { kind: 'bad-file' }))
  await serving(
    data,
    (registry) =>
      refused({ registry }, build, { kind: 'unsupported', message: /could not be downloaded .*check the network/ }),
    true,
  )
  await serving(data, (registry) =>
    refused({ registry: `${registry}none` }, { ...build, version: '9' }, { message: /the registry answers 404/ }),
  )
  await refused({ registry: 'http://127.0.0.1:9' }, build, { kind: 'unsupported', message: /could not be downloaded/ })
  await refused(
    { registry: 'http://127.0.0.1:9' },
    { ...build, unpackedBytes: 1e18 },
    {
      kind: 'does-not-fit',
      message: /needs 1000000\.00 TB while it is installed and .* are free/,
    },
  )
  const empty = await packed({ LICENSE: 'MIT' })
  await serving(empty.data, (registry) => refused({ registry }, empty.build, { message: /holds no bins/ }))
  assert.deepEqual(readdirSync(into), [])
})

const processor = findLlamaCpp()
const here = cardBuilds()
const skip =
  'missing' in processor
    ? processor.missing
    : here.length === 0
      ? 'there are no builds for cards for this platform'
      : false

test('what does not start or finds no card hands the model on, with the reason', { skip }, async () => {
  assert.ok(!('missing' in processor))
  const builds = join(folder, 'builds')
  process.env['SECATEUR_LLAMA_CPP_BUILDS'] = builds
  try {
    assert.deepEqual(findCardBuilds(), [])
    assert.equal(howToInstall(), null)
    for (const build of here) {
      const library = join(builds, folderOfBuild(build), addonOfBuild(build))
      mkdirSync(dirname(library), { recursive: true })
      writeFileSync(library, 'no library')
      // The build for the processor in its place: it starts, and finds no card.
      if (build.name !== 'vulkan') continue
      for (const name of readdirSync(dirname(processor.addon)))
        copyFileSync(join(dirname(processor.addon), name), join(dirname(library), name))
    }
    const found = findInstalled()
    assert.ok(!('missing' in found))
    assert.deepEqual(
      found.cards.map(({ build }) => build),
      ['cuda', 'vulkan'],
    )
    using checkpoint = openCheckpoint(join(root, 'resources/sample/model'))
    const told = { signal: new AbortController().signal, say: () => {}, estimated: () => {}, progress: () => {} }
    // What is compared with Secateur is another test's.
    const proof = { texts: 8, tokens: 700, worst: 0, mean: 0 }
    const key = await keyOf(checkpoint.folder, 'f16', told)
    mkdirSync(keptFolder(), { recursive: true })
    writeNote(key, { checkpoint: checkpoint.folder, type: 'f16', proofs: { processor: proof } })
    const settings = { places: 16, threads: 1, computes: () => Promise.reject(new Error('compared')) }
    const opening = (all: readonly LlamaCpp[]) => openOnLlamaCpp(checkpoint, all, settings, told)
    using opened = await opening([...found.cards, found.processor])
    const { device, passed } = opened.ran
    assert.deepEqual([device, opened.ran.proof, opened.llama.build], ['processor', proof, 'processor'])
    assert.match(passed![0]!, /^CUDA: .*it needs an NVIDIA card/)
    assert.match(passed![1]!, /^Vulkan: it finds no graphics card: it needs /)
    await assert.rejects(opening(found.cards), {
      kind: 'unsupported',
      message:
        /no llama\.cpp for graphics cards can run it here \(CUDA: .*needs an NVIDIA card.*; Vulkan: it finds no graphics card: it needs/,
    })
  } finally {
    delete process.env['SECATEUR_LLAMA_CPP_BUILDS']
  }
})
