import assert from 'node:assert/strict'
import { readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { openCheckpoint } from '../../../engine/models/checkpoint.ts'
import type { StoredTensor } from '../../../engine/tensor/stored-tensor.ts'
import { adapterMatrices, checkAdapter, pairsOfAdapter, type PeftAdapter } from '../../../engine/lora/peft.ts'
import { readAdapter } from '../../../engine/lora/read-peft.ts'
import { writeAdapter } from '../../../engine/lora/write-peft.ts'
import { writeSafetensors } from '../../../engine/checkpoint/safetensors-writer.ts'
import { SafetensorsFile } from '../../../engine/checkpoint/safetensors.ts'
import { linearOf } from '../../../engine/models/tensors.ts'
import { Random } from '../../../engine/shared/random.ts'
import { SecateurError } from '../../../engine/shared/errors.ts'
import { writeJson } from '../../../engine/shared/files.ts'
import { fixtureModel } from '../../fixtures/read.ts'
import { temporaryFolder } from '../checkpoint/safetensors-bytes.ts'

const configOf = (name: Parameters<typeof fixtureModel>[0]) => {
  using checkpoint = openCheckpoint(fixtureModel(name))
  return checkpoint.config
}
const config = configOf('llama_gqa')

/** q is [64, 32], down is [32, 48]; rank 2. */
const layer = () => ({
  q: { a: new Float32Array(2 * 32).map((_, i) => i / 7), b: new Float32Array(64 * 2).fill(-0.5) },
  down: { a: new Float32Array(2 * 48).fill(0.25), b: new Float32Array(32 * 2).map((_, i) => -i) },
})

function adapter(): PeftAdapter {
  return {
    rank: 2,
    alpha: 16,
    dropout: 0.05,
    rankStabilised: true,
    base: 'somewhere/base',
    targetModules: ['q', 'down'],
    matrices: adapterMatrices(config, [layer(), layer()]),
  }
}

async function written(context: TestContext) {
  const folder = join(temporaryFolder(context), 'adapter')
  await writeAdapter(folder, adapter(), config)
  const configFile = join(folder, 'adapter_config.json')
  const fields = JSON.parse(readFileSync(configFile, 'utf8')) as Record<string, unknown>
  const weights = join(folder, 'adapter_model.safetensors')
  return {
    folder,
    fields,
    weights,
    configure: (changed: object) => writeJson(configFile, { ...fields, ...changed }),
    change: (edit: (tensors: Map<string, StoredTensor>) => void) => {
      const tensors = new Map<string, StoredTensor>()
      {
        using file = new SafetensorsFile(weights)
        for (const name of file.tensors.keys()) tensors.set(name, file.read(name))
      }
      edit(tensors)
      writeSafetensors(weights, [...tensors.values()])
    },
  }
}

test('an adapter comes back as it was written', async (context) => {
  const { folder } = await written(context)
  const { folder: where, ...read } = readAdapter(folder)
  assert.equal(where, folder)
  assert.deepEqual(read, adapter())
  checkAdapter({ ...read, folder }, config)
  assert.deepEqual(readdirSync(folder), ['adapter_config.json', 'adapter_model.safetensors'])
})

test('fields and tensors have the names that PEFT gives them', async (context) => {
  const { fields, weights } = await written(context)
  assert.deepEqual(
    [fields.peft_type, fields.task_type, fields.r, fields.lora_alpha, fields.lora_dropout, fields.use_rslora],
    ['LORA', 'CAUSAL_LM', 2, 16, 0.05, true],
  )
  assert.deepEqual(fields.target_modules, ['q_proj', 'down_proj'])
  using file = new SafetensorsFile(weights)
  const shapes = [...file.tensors].map(([name, { shape }]) => `${name} [${shape}]`)
  assert.deepEqual(shapes.filter((each) => each.includes('layers.1')).sort(), [
    'base_model.model.model.layers.1.mlp.down_proj.lora_A.weight [2,48]',
    'base_model.model.model.layers.1.mlp.down_proj.lora_B.weight [32,2]',
    'base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight [2,32]',
    'base_model.model.model.layers.1.self_attn.q_proj.lora_B.weight [64,2]',
  ])
})

test('adapters of other versions of PEFT are read', async (context) => {
  const { folder, configure, change } = await written(context)
  configure({
    target_modules: 'all-linear',
    rank_pattern: {},
    init_lora_weights: 'gaussian',
    use_rslora: undefined,
    corda_config: null,
  })
  change((tensors) => {
    for (const tensor of tensors.values()) {
      tensor.name = tensor.name.replace(/lora_([AB])\.weight/, 'lora_$1.default.weight')
      if (!tensor.name.includes('layers.0')) continue
      tensor.dtype = 'bfloat16'
      tensor.bytes = tensor.bytes.filter((_, index) => index % 4 >= 2)
    }
  })
  const read = readAdapter(folder)
  assert.equal(read.rankStabilised, false)
  assert.deepEqual(read.matrices.get('layers.0.down')!.b.slice(0, 3), new Float32Array([-0, -1, -2]))
  assert.deepEqual(read.matrices.get('layers.1.down'), adapter().matrices.get('layers.1.down'))
})

const refusedFields: [fields: Record<string, unknown>, field: string, message: RegExp][] = [
  [{ peft_type: 'IA3' }, 'peft_type', /"IA3"; only LORA/],
  [{ task_type: 'SEQ_CLS' }, 'task_type', /only CAUSAL_LM/],
  [{ use_dora: true }, 'use_dora', /DoRA/],
  [{ modules_to_save: ['lm_head'] }, 'modules_to_save', /whole modules/],
  [{ bias: 'all' }, 'bias', /only "none"/],
  [{ alpha_pattern: { q_proj: 4 } }, 'alpha_pattern', /gives q_proj 4 where the others have 16/],
  [{ rank_pattern: { q_proj: 4 } }, 'rank_pattern', /gives q_proj 4 where the others have 2/],
  [{ init_lora_weights: 'pissa_niter_4' }, 'init_lora_weights', /changed the base model/],
  [{ r: 0 }, 'r', /1 or more/],
  [{ r: 'eight' }, 'r', /must be a number, and is "eight"/],
]

for (const [fields, field, message] of refusedFields) {
  test(`refuses ${JSON.stringify(fields)}`, async (context) => {
    const { folder, configure } = await written(context)
    configure(fields)
    refuses(() => readAdapter(folder), join(folder, 'adapter_config.json'), field, message)
  })
}

function refuses(action: () => unknown, file: string, field: string | undefined, message: RegExp) {
  assert.throws(action, (error) => {
    assert(error instanceof SecateurError, String(error))
    assert.deepEqual([error.kind, error.file, error.field], ['bad-file', file, field])
    assert.match(error.message, message)
    return true
  })
}

const q = 'base_model.model.model.layers.0.self_attn.q_proj'

test('matrices that do not fit each other or the rank are named', async (context) => {
  const { folder, weights, configure, change } = await written(context)
  configure({ r: 4 })
  refuses(
    () => readAdapter(folder),
    weights,
    `${q}.lora_A.weight`,
    /has shape \[2,32\]; with rank 4 it must be \[4, inputs\]/,
  )
  configure({})
  change((tensors) => tensors.delete(`${q}.lora_B.weight`))
  refuses(() => readAdapter(folder), weights, `${q}.lora_A.weight`, /has no lora_B beside it/)
  change((tensors) => {
    tensors.set('b', { name: `${q}.lora_B.weight`, dtype: 'float32', shape: [16, 8], bytes: new Uint8Array(512) })
  })
  refuses(
    () => readAdapter(folder),
    weights,
    `${q}.lora_B.weight`,
    /has shape \[16,8\]; with rank 2 it must be \[outputs, 2\]/,
  )
})

test('matrices of other modules, broken numbers and pickled weights are refused', async (context) => {
  const { folder, weights, change } = await written(context)
  const other = 'base_model.model.model.embed_tokens.lora_embedding_A'
  change((tensors) => tensors.set(other, { name: other, dtype: 'float32', shape: [1], bytes: new Uint8Array(4) }))
  refuses(() => readAdapter(folder), weights, other, /is not a LoRA matrix of q, k, v, o, gate, up, down, fc1 or fc2/)
  change((tensors) => {
    tensors.delete(other)
    tensors.get(`${q}.lora_A.weight`)!.bytes.fill(255, 4, 8)
  })
  refuses(() => readAdapter(folder), weights, `${q}.lora_A.weight`, /holds NaN at \[0,1\]/)
  change((tensors) => tensors.clear())
  refuses(() => readAdapter(folder), weights, undefined, /holds no LoRA matrices/)
  renameSync(weights, join(folder, 'adapter_model.bin'))
  refuses(() => readAdapter(folder), folder, 'adapter_model.bin', /can run code/)
  rmSync(join(folder, 'adapter_config.json'))
  refuses(() => readAdapter(folder), join(folder, 'adapter_config.json'), undefined, /does not exist/)
})

test('an adapter of another model is refused', async (context) => {
  const { folder, weights } = await written(context)
  const read = readAdapter(folder)
  refuses(
    () => checkAdapter(read, configOf('llama_mha')),
    weights,
    'layers.0.q',
    /is for a weight \[64, 32\]; the model's is \[32, 32\]/,
  )
  const shallow = { ...config, layers: config.layers.slice(0, 1) }
  refuses(() => checkAdapter(read, shallow), weights, 'layers.1.q', /the model has 1 layers/)
})

test('linear layers that are stored as one weight are one module to PEFT, with the same update', async (context) => {
  const phi = configOf('phi3_fused')
  const random = new Random(4)
  const draw = (length: number) => Float32Array.from({ length }, () => random.normal())
  for (const targetModules of [
    ['q', 'k', 'v', 'down'],
    ['v', 'gate'],
  ]) {
    const layers = phi.layers.map((_, index) =>
      Object.fromEntries(
        targetModules.map((name) => {
          const { inputs, outputs } = linearOf(phi, index, name)
          return [name, { a: draw(2 * inputs), b: draw(outputs * 2) }]
        }),
      ),
    )
    const settings = { rank: 2, alpha: 16, dropout: 0, rankStabilised: false, base: 'base', targetModules }
    const folder = join(temporaryFolder(context), 'fused')
    await writeAdapter(folder, { ...settings, matrices: adapterMatrices(phi, layers) }, phi)
    const read = readAdapter(folder)
    checkAdapter(read, phi)
    const again = pairsOfAdapter(read, phi)
    for (const [index, pairs] of layers.entries())
      for (const [name, pair] of Object.entries(again[index]!)) {
        const { inputs, outputs } = linearOf(phi, index, name)
        const expected = pairs[name] ? product(pairs[name], inputs, outputs) : new Float64Array(inputs * outputs)
        assert.deepEqual(product(pair!, inputs, outputs), expected, `layers.${index}.${name}`)
      }
    // All parts of a module come back, those without an update too.
    assert.ok(targetModules.every((name) => again[0]![name]))
  }
  const fields = JSON.parse(readFileSync(join(await phiFolder(context, phi), 'adapter_config.json'), 'utf8')) as Record<
    string,
    unknown
  >
  assert.deepEqual(
    [fields.target_modules, fields.rank_pattern, fields.alpha_pattern],
    [['qkv_proj'], { qkv_proj: 6 }, { qkv_proj: 48 }],
  )
})

/** An adapter of rank 2 on queries, keys and values. */
async function phiFolder(context: TestContext, phi: typeof config): Promise<string> {
  const targetModules = ['q', 'k', 'v']
  const layers = phi.layers.map((_, index) =>
    Object.fromEntries(
      targetModules.map((name) => {
        const { inputs, outputs } = linearOf(phi, index, name)
        return [name, { a: new Float32Array(2 * inputs).fill(1), b: new Float32Array(outputs * 2).fill(1) }]
      }),
    ),
  )
  const folder = join(temporaryFolder(context), 'phi')
  const settings = { rank: 2, alpha: 16, dropout: 0, rankStabilised: false, targetModules }
  await writeAdapter(folder, { ...settings, matrices: adapterMatrices(phi, layers) }, phi)
  return folder
}

/** B A [outputs, inputs] in float64. */
function product({ a, b }: { a: Float32Array; b: Float32Array }, inputs: number, outputs: number): Float64Array {
  const rank = a.length / inputs
  return Float64Array.from({ length: inputs * outputs }, (_, i) => {
    const [row, column] = [Math.floor(i / inputs), i % inputs]
    let sum = 0
    for (let r = 0; r < rank; r++) sum += b[row * rank + r]! * a[r * inputs + column]!
    return sum
  })
}
