import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { Choice } from '../../../engine/backends/choose.ts'
import { chooseRunner } from '../../../engine/llama-cpp/choose.ts'
import { findInstalled, findLlamaCpp } from '../../../engine/llama-cpp/installed.ts'
import {
  keptFile,
  keptFiles,
  keyOf,
  placeFor,
  removeKeptFiles,
  writeNote,
} from '../../../engine/llama-cpp/kept-files.ts'
import {
  cardMemory,
  llamaCppMemory,
  memoryBesideCard,
  requireLlamaCppMemory,
} from '../../../engine/llama-cpp/memory.ts'
import { logProbabilitiesOf } from '../../../engine/llama-cpp/log-probabilities.ts'
import { orElse } from '../../../engine/llama-cpp/or-else.ts'
import { ranText } from '../../../engine/llama-cpp/ran-text.ts'
import { whyOfNoUse } from '../../../engine/llama-cpp/start.ts'
import { threadsBy } from '../../../engine/llama-cpp/threads.ts'
import { openCheckpoint } from '../../../engine/models/checkpoint.ts'
import { SecateurError } from '../../../engine/shared/errors.ts'
import { fixtureModel } from '../../fixtures/read.ts'

const sample = join(import.meta.dirname, '../../../resources/sample/model')
const folder = mkdtempSync(join(tmpdir(), 'secateur-llama-cpp-'))
process.env['XDG_CACHE_HOME'] = folder
after(() => rmSync(folder, { recursive: true, force: true }))

const llamaCpp = { build: 'processor', addon: '/llama-addon.node', version: 'v1' } as const
const installed = { processor: llamaCpp, cards: [] }
const missing = { missing: 'the optional package is not installed' }
const processor = async () => ({ name: 'onnx', device: 'a processor' }) as Choice
const card = async () => ({ name: 'webgpu', device: 'a card' }) as Choice
const question = { runner: 'auto', device: 'auto', computes: processor } as const

test('llama.cpp runs what it can say, and else it is said why not', async () => {
  using checkpoint = openCheckpoint(sample)
  const why = async (changes: object, found: ReturnType<typeof findInstalled> = installed) => {
    const { runner, why: reason } = await chooseRunner(checkpoint, { ...question, ...changes }, found)
    return runner === 'llama.cpp' ? runner : reason
  }
  assert.equal(await why({}), 'llama.cpp')
  assert.equal(await why({}, missing), missing.missing)
  assert.equal(await why({ runner: 'secateur' }), null)
  assert.equal(await why({ runner: 'secateur', type: 'q8_0' }), null)
  assert.match((await why({ adapter: true }))!, /merge it/)
  assert.match((await why({ device: 'onnx' }))!, /device onnx is asked for/)
  assert.match((await why({ computes: card }))!, /a card computes, and this llama.cpp is for the processor/)
  assert.match(
    (await why({ device: 'webgpu' }))!,
    /device webgpu is asked for, and this llama.cpp is for the processor/,
  )
  // Who asks for llama.cpp has it on the processor.
  assert.equal(await why({ runner: 'llama.cpp', computes: card, device: 'webgpu' }), 'llama.cpp')
})

test('builds for cards are tried before the processor, which nobody is given where a card would compute', async () => {
  using checkpoint = openCheckpoint(sample)
  const found = {
    processor: llamaCpp,
    cards: (['cuda', 'vulkan'] as const).map((build) => ({ ...llamaCpp, build })),
  }
  const builds = async (changes: object) => {
    const chosen = await chooseRunner(checkpoint, { ...question, ...changes }, found)
    return chosen.runner === 'llama.cpp' ? chosen.builds.map(({ build }) => build) : chosen.why
  }
  assert.deepEqual(await builds({}), ['cuda', 'vulkan', 'processor'])
  assert.deepEqual(await builds({ computes: card }), ['cuda', 'vulkan'])
  assert.deepEqual(await builds({ device: 'webgpu' }), ['cuda', 'vulkan'])
  assert.match(
    (await builds({ device: 'onnx' })) as string,
    /device onnx is asked for, which is a back end of Secateur/,
  )
  const insisted = { runner: 'llama.cpp' }
  assert.deepEqual(await builds({ ...insisted, computes: card }), ['cuda', 'vulkan', 'processor'])
  assert.deepEqual(await builds({ ...insisted, device: 'webgpu' }), ['cuda', 'vulkan', 'processor'])
  assert.deepEqual(await builds({ ...insisted, device: 'onnx' }), ['processor'])
})

test('a build for cards is of no use without a card, on a software driver, or without room', () => {
  const vulkan = { build: 'vulkan' } as const
  const on = { cards: ['A card'], freeBytes: 2e9, unified: false }
  const why = (changes: Partial<typeof on>, environment = {}) =>
    whyOfNoUse(vulkan, { ...on, ...changes }, 1e9, environment)
  assert.equal(why({}), null)
  assert.match(why({ cards: [] })!, /finds no graphics card: it needs .*Vulkan 1\.2/)
  assert.match(why({ freeBytes: 5e8 })!, /about 1\.00 GB of memory on A card, and 500\.0 MB are free/)
  const cards = ['llvmpipe (LLVM 22, 256 bits)']
  assert.match(why({ cards })!, /llvmpipe .* computes on the processor/)
  assert.equal(why({ cards }, { GGML_VK_VISIBLE_DEVICES: '0' }), null)
  assert.equal(whyOfNoUse({ build: 'processor' }, { ...on, cards: [], freeBytes: 0 }, 1e9), null)
})

test('what llama.cpp cannot say is refused where it is asked for, and runs on Secateur else', async () => {
  using checkpoint = openCheckpoint(oddModel())
  const { runner, why } = await chooseRunner(checkpoint, question, installed)
  assert.equal(runner, 'secateur')
  assert.match(why!, /no_rope_layers: cannot be said in GGUF/)
  await assert.rejects(chooseRunner(checkpoint, { ...question, runner: 'llama.cpp' }, installed), {
    kind: 'unsupported',
    field: 'runner',
  })
})

/** A model that leaves positions out in layers in which llama.cpp does not. */
function oddModel(): string {
  const odd = join(folder, 'odd')
  cpSync(fixtureModel('smollm3_nope'), odd, { recursive: true })
  const config = join(odd, 'config.json')
  const given = JSON.parse(readFileSync(config, 'utf8')) as { num_hidden_layers: number }
  const layers = Array.from({ length: given.num_hidden_layers }, (_, layer) => layer % 2)
  writeFileSync(config, JSON.stringify({ ...given, no_rope_layers: layers }))
  return odd
}

const ways = (error: Error, begun = false) => ({
  onLlamaCpp: async () => {
    throw error
  },
  onSecateur: async (why: string | null) => why,
  begun: () => begun,
})

test('a failure of llama.cpp that nobody asked for hands the work on, with the reason', async () => {
  const chosen = { runner: 'llama.cpp', builds: [llamaCpp], why: null } as const
  const refused = new SecateurError('unsupported', 'llama.cpp crashed')
  assert.equal(await orElse(chosen, 'auto', ways(refused)), 'llama.cpp crashed')
  await assert.rejects(orElse(chosen, 'llama.cpp', ways(refused)), refused)
  await assert.rejects(orElse(chosen, 'auto', ways(refused, true)), refused)
  const unwritable = Object.assign(new Error('EACCES: no cache folder'), { code: 'EACCES', syscall: 'mkdir' })
  assert.equal(await orElse(chosen, 'auto', ways(unwritable)), unwritable.message)
  const cancelled = new SecateurError('interrupted', 'cancelled')
  await assert.rejects(orElse(chosen, 'auto', ways(cancelled)), cancelled)
})

test('a file is kept by what the checkpoint holds, and by its type', async () => {
  const control = { signal: new AbortController().signal, progress: () => {} }
  const copy = join(folder, 'copy')
  cpSync(sample, copy, { recursive: true })
  const key = await keyOf(sample, 'f16', control)
  assert.equal(await keyOf(copy, 'f16', control), key)
  assert.notEqual(await keyOf(copy, 'q8_0', control), key)
  const tokenizer = join(copy, 'tokenizer_config.json')
  writeFileSync(tokenizer, readFileSync(tokenizer, 'utf8').replace('{', '{ "chat_template": "{{ 1 }}",'))
  assert.notEqual(await keyOf(copy, 'f16', control), key)

  assert.equal(keptFile(key), null)
  writeFileSync(placeFor(key, 5), 'bytes')
  writeNote(key, { checkpoint: sample, type: 'f16', proofs: {} })
  const [kept] = keptFiles().files
  assert.deepEqual([kept!.checkpoint, kept!.type, kept!.bytes], [sample, 'f16', 5])
  // What was not used for the longest time makes room.
  writeFileSync(placeFor('other', 44e9), 'other')
  assert.equal(keptFiles().files.length, 2)
  placeFor('third', 45e9 - 5)
  assert.deepEqual(
    keptFiles().files.map(({ type }) => type),
    [''],
  )
  assert.equal(removeKeptFiles().bytes, 5)
  assert.deepEqual(keptFiles().files, [])
})

const close = (value: number, expected: number) => assert.ok(Math.abs(value - expected) < 1e-12, `${value}`)

test('log-probabilities come from logits, or from probabilities where llama.cpp tells no logits', () => {
  const logits = [2, 1, 0]
  const total = Math.log(logits.reduce((sum, value) => sum + Math.exp(value), 0))
  const weight = Math.exp(total - 2)
  // The likeliest, and the one that was asked about.
  const byLogits = logProbabilitiesOf([7, undefined, undefined, [7, 2, 9, 0], weight], 9, 1)
  close(byLogits.logProbability, 0 - total)
  assert.deepEqual(
    byLogits.likeliest.map(({ id }) => id),
    [7],
  )
  const all = [7, Math.exp(2 - total), 8, Math.exp(1 - total), 9, Math.exp(0 - total)]
  const byProbabilities = logProbabilitiesOf([7, all], 8, 2)
  close(byProbabilities.logProbability, 1 - total)
  assert.deepEqual(
    byProbabilities.likeliest.map(({ id }) => id),
    [7, 8],
  )
})

test('threads are as many as there are idle cores', () => {
  assert.equal(threadsBy({ idle: 100, all: 100 }, 8), 8)
  assert.equal(threadsBy({ idle: 51, all: 100 }, 2), 1)
  assert.equal(threadsBy({ idle: 0, all: 100 }, 8), 1)
  assert.equal(threadsBy({ idle: 0, all: 0 }, 4), 4)
})

test('a line says what ran a model, how close it is, and why not the other', () => {
  const ran = { runner: 'llama.cpp', name: 'llama.cpp v1', type: 'q8_0', device: 'processor', threads: 2 } as const
  const proof = { texts: 8, tokens: 700, worst: 0.1234, mean: 0.01234 }
  assert.equal(
    ranText({ ...ran, why: null, proof }),
    "Runs on llama.cpp v1 (q8_0, processor, 2 threads); log-likelihoods differ from Secateur's by 0.012 on average, 0.12 at most",
  )
  assert.match(
    ranText({ ...ran, why: null, proof: null, passed: ['CUDA: no card', 'Vulkan: no room'] }),
    /2 threads\)\. llama\.cpp not on CUDA: no card; not on Vulkan: no room$/,
  )
  const own = { ...ran, runner: 'secateur', name: 'Secateur (onnx)', threads: 1 } as const
  assert.match(
    ranText({ ...own, why: 'it is not installed', proof: null }),
    /1 thread\)\. Not llama\.cpp: it is not installed$/,
  )
})

test('a model that does not fit is refused with the numbers and what needs less', () => {
  using checkpoint = openCheckpoint(sample)
  const needs = (bytes: number, type: string, places: number) =>
    llamaCppMemory({ config: checkpoint.config, file: { bytes, type }, places })
  assert.ok(needs(4e6, 'f16', 512) < 130e6)
  // Weights in blocks may be laid out anew, and keys and values take 2 bytes each.
  assert.ok(needs(1e9, 'q4_k_m', 512) > needs(1e9, 'f16', 512) + 5e8)
  // On a card, the process holds no weights but where the card has no memory of its own.
  const large = { config: checkpoint.config, file: { bytes: 8e9, type: 'f16' }, places: 512 }
  assert.ok(memoryBesideCard(large, false) < 5e8 && memoryBesideCard(large, true) > 8e9 && cardMemory(large) > 8e9)
  const { layers, headSize } = checkpoint.config
  const perPlace = layers.reduce((sum, { keyValueHeads }) => sum + 2 * 2 * keyValueHeads * headSize, 0)
  assert.equal(needs(1e9, 'f16', 1512) - needs(1e9, 'f16', 512), 1000 * perPlace)
  assert.throws(() => requireLlamaCppMemory(1e15), {
    kind: 'does-not-fit',
    message: /llama\.cpp needs about 1000\.00 TB of memory and .* are free: take another type/,
  })
})

test('a platform without a package says so', () => {
  assert.deepEqual(findLlamaCpp('plan9-mips'), { missing: 'there is no llama.cpp for plan9 on mips' })
})
