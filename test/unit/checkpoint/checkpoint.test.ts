import assert from 'node:assert/strict'
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { openCheckpoint } from '../../../engine/models/checkpoint.ts'
import { writeCheckpoint } from '../../../engine/models/write-checkpoint.ts'
import { parseConfig } from '../../../engine/models/registry.ts'
import { toFloat32 } from '../../../engine/checkpoint/dtype.ts'
import { countParameters, expectedTensors } from '../../../engine/models/tensors.ts'
import type { StoredTensor, WeightType } from '../../../engine/tensor/stored-tensor.ts'
import { layOut, type PlannedTensor } from '../../../engine/checkpoint/safetensors-header.ts'
import { checkpointSummary } from '../../../engine/models/summary.ts'
import { SecateurError } from '../../../engine/shared/errors.ts'
import { writeFileAtomically, writeJson } from '../../../engine/shared/files.ts'
import { FIXTURES, fixtureModel, loadFixture } from '../../fixtures/read.ts'
import { editable, tensorsOf } from './editable.ts'
import { temporaryFolder } from './safetensors-bytes.ts'

const stories = join(import.meta.dirname, '../../../../shared/data/stories260K')
const needsStories = { skip: existsSync(stories) ? false : 'the shared data (stories260K) is not there' }

function refuses(folder: string, file: string | undefined, field: string | undefined, message: RegExp) {
  assert.throws(
    () => openCheckpoint(folder),
    (error) => {
      assert(error instanceof SecateurError, String(error))
      assert.equal(error.kind, 'bad-file')
      assert.equal(error.file, file === undefined ? folder : join(folder, file))
      assert.equal(error.field, field)
      assert.match(error.message, message)
      return true
    },
  )
}

for (const name of FIXTURES) {
  test(`${name} opens with the parameter count that PyTorch has`, () => {
    using checkpoint = openCheckpoint(fixtureModel(name))
    assert.equal(checkpoint.parameters, loadFixture(name).parameters)
    assert.equal(countParameters(checkpoint.config), checkpoint.parameters)
    assert.equal(
      [...tensorsOf(checkpoint)].reduce((sum, { bytes }) => sum + bytes.length, 0),
      checkpoint.bytes,
    )
  })
}

test('stories260K opens and is checkpointSummaryd', needsStories, () => {
  using checkpoint = openCheckpoint(stories)
  assert.deepEqual(checkpointSummary(checkpoint), {
    family: 'llama',
    parameters: 260_032,
    dtype: 'float32',
    bytes: 4 * 260_032,
    layers: Array.from({ length: 5 }, () => ({ heads: 8, keyValueHeads: 4, channels: 172 })),
    tokenizer: 'tokenizer.json',
  })
})

test('a checkpoint written in one file or many comes back bit for bit', needsStories, async (context) => {
  const folder = temporaryFolder(context)
  using source = openCheckpoint(stories)
  const options = { config: source.config, dtype: source.dtype, tokenizerFrom: stories }
  const progress: number[] = []
  const onProgress = (done: number, total: number) => progress.push(done / total)
  await writeCheckpoint(join(folder, 'one'), { ...options, tensors: tensorsOf(source), onProgress })
  await writeCheckpoint(join(folder, 'many'), {
    ...options,
    // The order in which tensors come is free.
    tensors: [...tensorsOf(source)].toReversed(),
    maxShardBytes: 300_000,
  })
  assert.equal(progress.at(-1), 1)
  const companions = [
    'generation_config.json',
    'special_tokens_map.json',
    'tokenizer.json',
    'tokenizer.model',
    'tokenizer_config.json',
  ]
  assert.deepEqual(readdirSync(join(folder, 'one')), ['config.json', 'model.safetensors', ...companions].sort())
  const shards = readdirSync(join(folder, 'many')).filter((name) => name.endsWith('.safetensors'))
  assert.deepEqual(
    shards,
    [1, 2, 3, 4].map((part) => `model-0000${part}-of-00004.safetensors`),
  )
  for (const shard of shards) assert(statSync(join(folder, 'many', shard)).size < 310_000)
  for (const copy of ['one', 'many']) {
    using read = openCheckpoint(join(folder, copy))
    for (const tensor of tensorsOf(source)) assert.deepEqual(read.read(tensor.name), tensor)
    assert.deepEqual({ ...read.config, source: null }, { ...source.config, source: null })
  }
  assert.deepEqual(readdirSync(folder).sort(), ['many', 'one'])
})

test('weights are converted to the type that is asked for', async (context) => {
  const folder = temporaryFolder(context)
  using source = openCheckpoint(fixtureModel('llama_gqa'))
  for (const dtype of ['float16', 'bfloat16'] satisfies WeightType[]) {
    await writeCheckpoint(join(folder, dtype), { config: source.config, dtype, tensors: tensorsOf(source) })
    using read = openCheckpoint(join(folder, dtype))
    assert.equal(read.dtype, dtype)
    assert.equal(read.config.source.torch_dtype, dtype)
    const [before, after] = [source, read].map((each) => toFloat32(each.read('lm_head.weight')))
    const largest = dtype === 'float16' ? 2 ** -11 : 2 ** -8
    for (const [index, value] of before!.entries())
      assert(Math.abs(after![index]! - value) <= largest * Math.abs(value) + 1e-7)
  }
})

test('rows of a weight are read into a buffer of the caller', () => {
  using checkpoint = openCheckpoint(fixtureModel('llama_bf16'))
  const name = 'model.layers.1.mlp.up_proj.weight'
  const whole = checkpoint.read(name)
  const rowBytes = whole.bytes.length / whole.shape[0]!
  const rows = new Uint8Array(3 * rowBytes)
  checkpoint.readRows(name, 5, 3, rows)
  assert.deepEqual(rows, whole.bytes.slice(5 * rowBytes, 8 * rowBytes))
})

test('a failed write leaves nothing behind and never writes broken numbers', async (context) => {
  const folder = temporaryFolder(context)
  using source = openCheckpoint(fixtureModel('llama_gqa'))
  const { config } = source
  const write = (tensors: StoredTensor[], dtype: WeightType = 'float32') =>
    writeCheckpoint(join(folder, 'out'), { config, dtype, tensors })
  const all = [...tensorsOf(source)]
  const withFirst = (value: number) => {
    const [first, ...rest] = all as [StoredTensor, ...StoredTensor[]]
    const values = toFloat32(first).slice()
    values[3] = value
    return [{ ...first, bytes: new Uint8Array(values.buffer) }, ...rest]
  }
  await assert.rejects(write(all.slice(1)), /were not written: model.embed_tokens.weight/)
  await assert.rejects(write([...all, { ...all[0]!, name: 'other' }]), /other is not part of the model/)
  await assert.rejects(write(withFirst(NaN)), /embed_tokens.weight: has become NaN or infinite/)
  await assert.rejects(write(withFirst(1e6), 'float16'), /embed_tokens.weight: has numbers too large for float16/)
  assert.deepEqual(readdirSync(folder), [])
  await write(all)
  await assert.rejects(write(all), /already exists and is not empty/)
})

test('a missing tensor is named', (context) => {
  const { folder, tensors, save } = editable(context)
  tensors.delete('model.layers.1.mlp.up_proj.weight')
  save()
  refuses(
    folder,
    undefined,
    'model.layers.1.mlp.up_proj.weight',
    /is missing from the weights, but config.json needs it/,
  )
})

test('tensors that contradict the config are named', (context) => {
  const { folder, tensors, save, configure } = editable(context)
  configure({ intermediate_size: 47 })
  refuses(
    folder,
    'model.safetensors',
    'model.layers.0.mlp.gate_proj.weight',
    /has shape \[48,32\]; by .* must be \[47,32\]/,
  )
  configure({ num_hidden_layers: 1 })
  refuses(folder, 'model.safetensors', 'model.layers.1.input_layernorm.weight', /is not part of the model/)
  configure({ attention_bias: true })
  refuses(folder, undefined, 'model.layers.0.self_attn.q_proj.bias', /is missing/)
  configure({})
  const bias = 'model.layers.0.self_attn.q_proj.bias'
  tensors.set(bias, { name: bias, dtype: 'float32', shape: [64], bytes: new Uint8Array(256) })
  save()
  refuses(folder, 'model.safetensors', bias, /is not part of the model that .*config.json describes/)
})

test('an output head may be missing only where embeddings are tied', (context) => {
  const { folder, tensors, save, configure } = editable(context)
  const before = [...tensors.values()].reduce((sum, { bytes }) => sum + bytes.length, 0)
  const headBytes = tensors.get('lm_head.weight')!.bytes.length
  tensors.delete('lm_head.weight')
  save()
  refuses(folder, undefined, 'lm_head.weight', /does not set tie_word_embeddings to true/)
  configure({ tie_word_embeddings: true })
  using checkpoint = openCheckpoint(folder)
  assert.equal(checkpoint.bytes, before - headBytes)
})

test('what the model does not use is left alone', (context) => {
  const { folder, tensors, save, configure } = editable(context)
  const extra = (name: string) => tensors.set(name, { name, dtype: 'float32', shape: [4], bytes: new Uint8Array(16) })
  extra('model.layers.0.self_attn.rotary_emb.inv_freq')
  extra('vision.weight')
  tensors.set('lm_head.weight', { ...tensors.get('model.embed_tokens.weight')!, name: 'lm_head.weight' })
  save()
  configure({ tie_word_embeddings: true })
  using checkpoint = openCheckpoint(folder)
  assert.deepEqual(
    new Set(checkpoint.ignored),
    new Set(['lm_head.weight', 'model.layers.0.self_attn.rotary_emb.inv_freq', 'vision.weight']),
  )
  assert.throws(() => checkpoint.read('vision.weight'), /vision.weight: is not a weight of this model/)
  assert.equal(checkpoint.warnings.length, 1)
  assert.match(checkpoint.warnings[0]!, /does not use vision\.weight: they are neither computed with nor written/)
})

test('a weight of a type that is none is named', (context) => {
  const { folder } = editable(context)
  const path = join(folder, 'model.safetensors')
  const bytes = readFileSync(path)
  // The same number of bytes: I32 in place of the first F32.
  bytes.write('I32', bytes.indexOf('"F32"') + 1)
  writeFileAtomically(path, bytes)
  assert.throws(() => openCheckpoint(folder), /model\.safetensors: .*weight: is I32; weights must be F32, F16 or BF16/)
})

test('NaN and infinity are reported with the name of the tensor when it is read', (context) => {
  const { folder, tensors, save } = editable(context)
  const name = 'model.layers.0.self_attn.o_proj.weight'
  const tensor = tensors.get(name)!
  const values = toFloat32(tensor)
  values[2 * tensor.shape[1]! + 5] = NaN
  save()
  using checkpoint = openCheckpoint(folder)
  assert.throws(
    () => checkpoint.read(name),
    /model\.safetensors: model\.layers\.0\.self_attn\.o_proj\.weight: holds NaN at \[2,5\]/,
  )
  checkpoint.read('lm_head.weight')
})

async function sharded(context: TestContext): Promise<string> {
  const folder = join(temporaryFolder(context), 'model')
  using source = openCheckpoint(fixtureModel('llama_gqa'))
  await writeCheckpoint(folder, {
    config: source.config,
    dtype: 'float32',
    tensors: tensorsOf(source),
    maxShardBytes: 40_000,
  })
  return folder
}

test('a missing shard is named, with and without an index', async (context) => {
  const folder = await sharded(context)
  const shard = 'model-00002-of-00003.safetensors'
  rmSync(join(folder, shard))
  refuses(folder, shard, undefined, /is missing; model\.safetensors\.index\.json says that it holds model\.layers/)
  rmSync(join(folder, 'model.safetensors.index.json'))
  refuses(folder, shard, undefined, /is missing beside model-00001-of-00003/)
})

test('shards without an index are read; a tensor in two of them is refused', async (context) => {
  const folder = await sharded(context)
  rmSync(join(folder, 'model.safetensors.index.json'))
  openCheckpoint(folder).close()
  for (const part of [1, 2, 3])
    renameSync(join(folder, `model-0000${part}-of-00003.safetensors`), join(folder, `${part}.safetensors`))
  openCheckpoint(folder).close()
  cpSync(join(folder, '1.safetensors'), join(folder, '4.safetensors'))
  refuses(folder, '4.safetensors', 'model.embed_tokens.weight', /is also in 1\.safetensors/)
})

test('an index that is wrong is named with its entry', async (context) => {
  const folder = await sharded(context)
  const index = 'model.safetensors.index.json'
  const { weight_map: map } = JSON.parse(readFileSync(join(folder, index), 'utf8')) as {
    weight_map: Record<string, string>
  }
  const rewrite = (changed: object) => writeJson(join(folder, index), { weight_map: { ...map, ...changed } })
  rewrite({ 'model.norm.weight': 'model-00001-of-00003.safetensors' })
  refuses(folder, index, 'weight_map.model.norm.weight', /the tensor is not in model-00001-of-00003/)
  rewrite({ 'model.norm.weight': '../../secret.safetensors' })
  refuses(folder, index, 'weight_map.model.norm.weight', /not the name of a safetensors file in this folder/)
  writeJson(join(folder, index), { metadata: {} })
  refuses(folder, index, 'weight_map', /is missing/)
})

test('folders that are no checkpoints say what is missing', (context) => {
  const { folder } = editable(context)
  refuses(join(folder, 'absent'), undefined, undefined, /does not exist/)
  refuses(join(folder, 'config.json'), undefined, undefined, /give the folder that holds it/)
  renameSync(join(folder, 'model.safetensors'), join(folder, 'pytorch_model.bin'))
  refuses(folder, undefined, undefined, /pytorch_model.bin, which can run code and is not read; convert it/)
  rmSync(join(folder, 'pytorch_model.bin'))
  refuses(folder, undefined, undefined, /holds no model.safetensors and no shards/)
  rmSync(join(folder, 'config.json'))
  refuses(folder, 'config.json', undefined, /does not exist/)
})

test('a truncated checkpoint is refused', (context) => {
  const { folder } = editable(context)
  const path = join(folder, 'model.safetensors')
  truncateSync(path, statSync(path).size - 1)
  assert.throws(() => openCheckpoint(folder), /beyond the end of the file.*truncated/)
})

test('no file stays open after a checkpoint was refused', { skip: !existsSync('/proc/self/fd') }, async (context) => {
  const folder = await sharded(context)
  const before = readdirSync('/proc/self/fd').length
  const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as object
  writeJson(join(folder, 'config.json'), { ...config, vocab_size: 7 })
  for (let i = 0; i < 3; i++) assert.throws(() => openCheckpoint(folder), SecateurError)
  assert.equal(readdirSync('/proc/self/fd').length, before)
})

/** Bytes that this process has read from files so far; 0 where the system does not count them. */
const bytesRead = (): number =>
  existsSync('/proc/self/io') ? Number(/^rchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))![1]) : 0

test('a checkpoint of 13 GB opens by its headers alone and takes no memory', (context) => {
  const folder = temporaryFolder(context)
  const source = {
    model_type: 'llama',
    hidden_size: 4096,
    intermediate_size: 11008,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    vocab_size: 32000,
    max_position_embeddings: 2048,
  }
  writeJson(join(folder, 'config.json'), source)
  const planned = [...expectedTensors(parseConfig(source, ''))].map(([name, shape]): PlannedTensor => ({
    name,
    dtype: 'float16',
    shape,
  }))
  const weightMap: Record<string, string> = {}
  for (const [part, tensors] of [planned.slice(0, 150), planned.slice(150)].entries()) {
    const name = `model-0000${part + 1}-of-00002.safetensors`
    const { header, bytes } = layOut(tensors, {})
    writeFileAtomically(join(folder, name), header)
    truncateSync(join(folder, name), bytes)
    for (const tensor of tensors) weightMap[tensor.name] = name
  }
  if (statSync(join(folder, 'model-00001-of-00002.safetensors')).blocks * 512 > 1e9) {
    context.skip('this file system has no sparse files')
    return
  }
  writeJson(join(folder, 'model.safetensors.index.json'), { weight_map: weightMap })
  const memory = process.memoryUsage().arrayBuffers
  const earlier = bytesRead()
  using checkpoint = openCheckpoint(folder)
  const read = bytesRead() - earlier
  assert.equal(checkpoint.parameters, 6_738_415_616, 'the published size of LLaMA 7B')
  assert(read < 10e6, `${read} bytes were read`)
  assert(process.memoryUsage().arrayBuffers - memory < 2 << 20)
  const norm = checkpoint.read('model.norm.weight')
  assert.equal(norm.bytes.length, 8192)
})
