import assert from 'node:assert/strict'
import { chmodSync, existsSync, globSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { after, test } from 'node:test'
import { findCardBuilds, findLlamaCpp } from '../../engine/llama-cpp/installed.ts'
import { keptFolder, keyOf, readNote, writeNote } from '../../engine/llama-cpp/kept-files.ts'
import { greedily, type ToldToken } from '../../engine/llama-cpp/messages.ts'
import type { LlamaCppModel } from '../../engine/llama-cpp/model.ts'
import { openOnLlamaCpp } from '../../engine/llama-cpp/open.ts'
import { startBuild } from '../../engine/llama-cpp/start.ts'
import { openCheckpoint } from '../../engine/models/checkpoint.ts'

// llama.cpp for Vulkan beside the one for the processor. SECATEUR_GPU_RUNNER names a command that runs its arguments on the
// driver to be tested; else it is Mesa's driver for the processor, unpacked by test/unpack.sh.

const root = join(import.meta.dirname, '../..')
const folder = mkdtempSync(join(tmpdir(), 'secateur-llama-cpp-vulkan-'))
after(() => rmSync(folder, { recursive: true, force: true }))
process.env['XDG_CACHE_HOME'] = join(folder, 'cache')
process.env['SECATEUR_LLAMA_CPP_BUILDS'] = join(root, 'out/llama-cpp')
/** In half precision that driver takes a minute to compile what is run here. */
process.env['GGML_VK_DISABLE_F16'] = '1'
/** What it compiled is compiled once. */
process.env['MESA_SHADER_CACHE_DIR'] = join(root, 'out/vulkan-shaders')

const vulkan = findCardBuilds().find(({ build }) => build === 'vulkan')
const processor = findLlamaCpp()
const skip = whySkipped()

function whySkipped(): string | false {
  if ('missing' in processor) return processor.missing
  if (!vulkan) return 'there is no llama.cpp for Vulkan in out/llama-cpp: .ci/run installs it'
  const runner = process.env['SECATEUR_GPU_RUNNER']
  if (runner) return onRunner(runner)
  const [driver] = globSync('out/vulkan/usr/lib/*/libvulkan_lvp.so', { cwd: root })
  if (driver === undefined)
    return 'there is no software driver of Vulkan in out/vulkan: test/unpack.sh vulkan unpacks it'
  const file = join(folder, 'driver.json')
  const icd = { library_path: resolve(root, driver), api_version: '1.3.0' }
  writeFileSync(file, JSON.stringify({ file_format_version: '1.0.0', ICD: icd }))
  process.env['VK_ICD_FILENAMES'] = file
  process.env['LD_LIBRARY_PATH'] = dirname(icd.library_path)
  return false
}

/** Processes of models run on the runner's driver; this one does not. */
function onRunner(runner: string): false {
  const node = join(folder, 'node')
  writeFileSync(node, `#!/bin/sh\nexec ${runner} ${process.execPath} "$@"\n`)
  chmodSync(node, 0o755)
  process.execPath = node
  return false
}

const { signal } = new AbortController()
const told = { signal, say: () => {}, estimated: () => {}, progress: () => {} }

test('llama.cpp on Vulkan computes what it does on the processor, and names the card', { skip }, async () => {
  assert.ok(vulkan && !('missing' in processor))
  using checkpoint = openCheckpoint(join(root, 'resources/sample/model'))
  // The comparison with Secateur has texts of many lengths, for each of which such a driver compiles anew.
  const key = await keyOf(checkpoint.folder, 'f16', told)
  const settings = { places: 64, threads: 1, computes: () => Promise.reject(new Error('compared')) }
  const proof = { texts: 0, tokens: 0, worst: 0, mean: 0 }
  writeNote(key, { checkpoint: checkpoint.folder, type: 'f16', proofs: { processor: proof } })
  using plain = await openOnLlamaCpp(checkpoint, [processor], settings, told)

  // A software driver is not taken by itself, and is once it is named.
  if (!process.env['SECATEUR_GPU_RUNNER'])
    await assert.rejects(startBuild(vulkan, 0, { signal }), /it finds no graphics card: it needs/)
  process.env['GGML_VK_VISIBLE_DEVICES'] = '0'
  const started = await startBuild(vulkan, 0, { signal })
  const [name] = started.on.cards
  started[Symbol.dispose]()
  assert.ok(name)
  await assert.rejects(startBuild(vulkan, 1e15, { signal }), /the model needs about 1000\.00 TB of memory on /)

  // What is known of the processor says nothing of the card.
  await assert.rejects(openOnLlamaCpp(checkpoint, [vulkan, processor], settings, told), /^Error: compared$/)
  writeNote(key, { ...readNote(key)!, proofs: { processor: proof, [`vulkan: ${name}`]: proof } })
  using opened = await openOnLlamaCpp(checkpoint, [vulkan, processor], settings, told)
  assert.deepEqual([opened.ran.device, opened.ran.passed, opened.llama], [name, undefined, vulkan])
  assert.match(opened.ran.name, /^llama\.cpp v[\d.]+, Vulkan, commit /)
  assert.ok(existsSync(keptFolder()))

  // One token at a time is one program for the card; prompts are others, which take Mesa's driver twice as long to compile.
  const models = [plain.model, opened.model] as const
  const [own, other] = [await writtenBy(models[0]), await writtenBy(models[1])]
  assert.deepEqual(other.ids, own.ids)
  assert.equal(own.logProbabilities.length, 24)
  assertClose(other.logProbabilities, own.logProbabilities)
  if (!process.env['SECATEUR_GPU_RUNNER']) return
  const text = Array.from({ length: 40 }, (_, at) => 300 + 7 * at)
  assertClose(await models[1].score(text, 1, signal), await models[0].score(text, 1, signal))
})

async function writtenBy(model: LlamaCppModel): Promise<{ ids: number[]; logProbabilities: number[] }> {
  const ids: number[] = []
  const logProbabilities: number[] = []
  const onToken = ({ id, logProbability }: ToldToken) => {
    ids.push(id)
    logProbabilities.push(logProbability!)
  }
  await model.write(
    { ...greedily, prompt: [300], tokens: 24, threads: 1, stop: [], alternatives: 1 },
    { signal, onToken },
  )
  return { ids, logProbabilities }
}

function assertClose(values: readonly number[], expected: readonly number[]): void {
  const most = Math.max(...values.map((value, at) => Math.abs(value - expected[at]!)))
  assert.ok(values.length === expected.length && most < 0.02, `log-likelihoods differ by up to ${most}`)
}
