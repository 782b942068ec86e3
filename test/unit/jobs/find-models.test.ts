import assert from 'node:assert/strict'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { findModels } from '../../../engine/jobs/find-models.ts'
import { adapterMatrices } from '../../../engine/lora/peft.ts'
import { writeAdapter } from '../../../engine/lora/write-peft.ts'
import { openCheckpoint } from '../../../engine/models/checkpoint.ts'
import { linearOf } from '../../../engine/models/tensors.ts'
import { allowAll, allowOnly } from '../../../engine/shared/allowed-folders.ts'
import { fixtureModel } from '../../fixtures/read.ts'
import { sample } from '../../e2e/secateur.ts'
import { ggufBytes } from '../checkpoint/gguf/bytes.ts'
import { ggufParts } from '../models/gguf-file.ts'

const root = realpathSync(mkdtempSync(join(tmpdir(), 'secateur-found-')))
after(() => rmSync(root, { recursive: true, force: true }))
const at = (...parts: string[]) => join(root, ...parts)
const copyTo = (...parts: string[]) => cpSync(sample('model'), at(...parts), { recursive: true })
const find = (folder = root, control: Partial<Parameters<typeof findModels>[1]> = {}) =>
  findModels({ folder }, { signal: new AbortController().signal, progress: () => {}, ...control })
const fresh = () => rmSync(root, { recursive: true }) ?? mkdirSync(root)
const pathsOf = ({ models }: Awaited<ReturnType<typeof find>>) =>
  models.map(({ path }) => path.slice(root.length + 1)).sort()

test('folders of Hugging Face, models of images, GGUF files and the hub’s cache are found; what runs wrote and hid is not', async () => {
  copyTo('org/llama')
  // Other forms of a model lie in its folders, and what is deeper than anybody nests is left.
  copyTo('org/llama/original')
  cpSync(sample('../sample-vit/model'), at('vision'), { recursive: true })
  const snapshot = at('hub/models--someone--small-llama/snapshots/0123abcd')
  mkdirSync(snapshot, { recursive: true })
  mkdirSync(at('hub/blobs'))
  for (const name of readdirSync(sample('model'))) {
    cpSync(join(sample('model'), name), at('hub/blobs', `hash-of-${name.replace('.', '-')}`))
    symlinkSync(at('hub/blobs', `hash-of-${name.replace('.', '-')}`), join(snapshot, name))
  }
  copyTo('.hidden/model')
  copyTo('runs/first/output')
  writeFileSync(at('runs/first/run.json'), '{}')
  copyTo('a/b/c/d/e/f/g/h/i/too-deep')
  using checkpoint = openCheckpoint(fixtureModel('llama_gqa'))
  mkdirSync(at('gguf'))
  writeFileSync(at('gguf/tiny.gguf'), ggufBytes(ggufParts(checkpoint)))
  writeFileSync(at('gguf/other-00002-of-00002.gguf'), 'GGUF')
  const found = await find()
  assert.deepEqual(pathsOf(found), [
    'gguf/tiny.gguf',
    'hub/models--someone--small-llama/snapshots/0123abcd',
    'org/llama',
    'vision',
  ])
  assert.deepEqual(found.models.map(({ name, family, format }) => [name, family, format]).sort(), [
    ['llama', 'llama', 'safetensors'],
    ['small-llama', 'llama', 'safetensors'],
    ['tiny', 'llama', 'gguf'],
    ['vision', 'vit', 'safetensors'],
  ])
  const llama = found.models.find(({ name }) => name === 'llama')
  const sizes = readdirSync(sample('model')).map((name) => readFileSync(join(sample('model'), name)).length)
  assert.equal(
    llama!.bytes,
    sizes.reduce((sum, bytes) => sum + bytes),
  )
  assert.ok(found.truncated, 'something lies too deep')
  assert.equal(found.unusableCount, 0)
})

test('links are followed once, in no circle, and not to where nothing may be read', async () => {
  fresh()
  copyTo('models/one')
  symlinkSync(at('models'), at('models/one-more-way'))
  symlinkSync(root, at('models/up'))
  symlinkSync(at('nowhere'), at('models/broken'))
  const outside = realpathSync(mkdtempSync(join(tmpdir(), 'secateur-outside-')))
  try {
    cpSync(sample('model'), join(outside, 'secret'), { recursive: true })
    symlinkSync(outside, at('models/out'))
    assert.equal((await find()).models.length, 2, 'a link to another drive leads to what is there')
    allowOnly([root])
    assert.deepEqual(pathsOf(await find()), ['models/one'])
    await assert.rejects(find(outside), /lies outside the folders/)
  } finally {
    allowAll()
    rmSync(outside, { recursive: true })
  }
})

test('what cannot be imported is counted with a reason, and looked at again while it may still be on its way', async () => {
  fresh()
  copyTo('half')
  const weights = at('half/model.safetensors')
  const whole = readFileSync(weights)
  writeFileSync(weights, whole.subarray(0, whole.length / 2))
  mkdirSync(at('strange\n"name"'))
  writeFileSync(at('strange\n"name"', 'config.json'), '{"model_type":"martian"}')
  writeFileSync(at('strange\n"name"', 'model.safetensors'), '')
  writeFileSync(at('not.gguf'), 'GGML')
  const found = await find()
  assert.deepEqual([found.models, found.unusableCount, found.unsettled], [[], 3, true])
  assert.match(found.unusable.map(({ reason }) => reason).join('\n'), /"martian" is not supported/)
  writeFileSync(weights, whole)
  assert.deepEqual(pathsOf(await find()), ['half'])
  for (const path of [
    at('not.gguf'),
    ...['config.json', 'model.safetensors'].map((name) => at('strange\n"name"', name)),
  ])
    utimesSync(path, 1, 1)
  assert.equal((await find()).unsettled, false)
})

test('an adapter is found as one, and a search can be cancelled', async () => {
  fresh()
  using checkpoint = openCheckpoint(fixtureModel('llama_gqa'))
  const { config } = checkpoint
  const { outputs, inputs } = linearOf(config, 0, 'q')
  const q = { a: new Float32Array(inputs), b: new Float32Array(outputs) }
  const matrices = adapterMatrices(
    config,
    config.layers.map(() => ({ q })),
  )
  const settings = { rank: 1, alpha: 1, dropout: 0, rankStabilised: false, targetModules: ['q'], base: 'any', matrices }
  await writeAdapter(at('adapter'), settings, config)
  const { models } = await find()
  assert.deepEqual(
    models.map(({ name, kind }) => [name, kind]),
    [['adapter', 'adapter']],
  )
  const abort = new AbortController()
  await assert.rejects(find(root, { signal: abort.signal, progress: () => abort.abort() }), { name: 'AbortError' })
  await assert.rejects(find(at('nowhere')), /nowhere: does not exist/)
})
