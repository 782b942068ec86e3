import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Compatibility, type PruneJob, pruneSchema } from '../../../engine/contract/index.ts'
import { estimateJob } from '../../../engine/estimate/estimate.ts'
import { compatibilityOf } from '../../../engine/export/compatibility.ts'
import { type Checkpoint, openCheckpoint } from '../../../engine/models/checkpoint.ts'
import type { ModelConfig } from '../../../engine/models/model-config.ts'
import { parseConfig } from '../../../engine/models/registry.ts'
import { countParameters } from '../../../engine/models/tensors.ts'
import { targetOf } from '../../../engine/pruning/job-target.ts'
import { headCountWarnings } from '../../../engine/pruning/planned.ts'
import { FIXTURES, type FixtureName, fixtureModel } from '../../fixtures/read.ts'

function configOf(name: FixtureName): ModelConfig {
  using checkpoint = openCheckpoint(fixtureModel(name))
  return checkpoint.config
}
const withHeads = (config: ModelConfig, heads: number, keyValueHeads = heads): ModelConfig => ({
  ...config,
  layers: config.layers.map((layer) => ({ ...layer, heads, keyValueHeads })),
})
const answerOf = (config: ModelConfig, program: Compatibility['program']): Compatibility =>
  compatibilityOf(config).find((answer) => answer.program === program)!

test('transformers loads layers of one shape, except where it wants the heads to divide the hidden size', () => {
  for (const name of FIXTURES) {
    const config = configOf(name)
    assert.equal(answerOf(config, 'transformers').loads, name === 'secateur_ragged' ? 'no' : 'yes', name)
    assert.equal(answerOf(config, 'Secateur').loads, 'yes')
    if (name === 'secateur_ragged') continue
    // Tried with transformers 5.24: it refuses such a Llama and Gemma 3, and loads the others.
    const odd = answerOf(withHeads(config, 5), 'transformers')
    const refused = ['llama', 'gemma3_text'].includes(config.family)
    assert.deepEqual(
      [odd.loads, odd.fields],
      refused ? ['no', ['num_attention_heads', 'hidden_size']] : ['yes', []],
      name,
    )
  }
  assert.match(
    answerOf(withHeads(configOf('llama_gqa'), 3), 'transformers').why,
    /hidden_size \(32\).*num_attention_heads \(3\)/,
  )
})

test('transformers loads no layers that differ', () => {
  const config = configOf('llama_gqa')
  const [layer] = config.layers
  const ragged = answerOf({ ...config, layers: [layer!, { ...layer!, channels: 7 }] }, 'transformers')
  assert.deepEqual([ragged.loads, ragged.fields], ['no', ['secateur_layers', 'per_layer_config']])
  const uneven = { ...layer!, heads: 3, keyValueHeads: 2, keyValueHeadOf: [0, 1, 1] }
  const shared = answerOf({ ...config, layers: [layer!, uneven] }, 'transformers')
  assert.deepEqual([shared.loads, shared.fields], ['no', ['secateur_layers']])
  assert.match(shared.why, /share key\/value heads unevenly/)
})

test('llama.cpp loads what GGUF has words for, else by filling up with zeros, else not', () => {
  for (const name of FIXTURES) {
    // Its layers without positions do not come at the distance that llama.cpp has.
    if (name === 'smollm3_nope') continue
    const answer = answerOf(configOf(name), 'llama.cpp')
    assert.deepEqual([answer.loads, answer.layout], ['yes', name === 'secateur_ragged' ? 'deci' : 'stock'], name)
  }
  const ragged = (name: FixtureName, changed: object): ModelConfig => {
    const config = configOf(name)
    const [first, ...others] = config.layers
    return { ...config, layers: [{ ...first!, ...changed }, ...others] }
  }
  const deci = answerOf(ragged('llama_gqa', { channels: 7 }), 'llama.cpp')
  assert.deepEqual([deci.loads, deci.layout, deci.fields], ['yes', 'deci', ['secateur_layers']])
  const padded = answerOf(ragged('qwen3_norm_headdim', { channels: 7 }), 'llama.cpp')
  assert.deepEqual([padded.loads, padded.layout], ['yes', 'padded'])
  assert.match(padded.why, /as qwen3, with heads and channels of zeros .*\(\d+% more parameters\)/)
  const none = answerOf(configOf('smollm3_nope'), 'llama.cpp')
  assert.deepEqual([none.loads, none.fields], ['no', ['no_rope_layers']])
  assert.match(none.why, /^It cannot be said in GGUF: /)
  assert.match(answerOf(configOf('mistral_window'), 'llama.cpp').why, /at most 4 tokens \(sliding_window\)/)
})

test('models of images: transformers loads them, except timm with heads that do not fill it; llama.cpp loads none', () => {
  const source = {
    model_type: 'vit',
    hidden_size: 24,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    intermediate_size: 16,
  }
  const vit = parseConfig({ ...source, image_size: 8, patch_size: 4 }, 'config.json')
  const timm = parseConfig({ architecture: 'vit_tiny_patch16_224', num_classes: 2 }, 'config.json')
  for (const config of [vit, timm]) {
    assert.equal(answerOf(config, 'transformers').loads, 'yes')
    assert.deepEqual(answerOf(config, 'llama.cpp').fields, ['model_type'])
  }
  assert.equal(answerOf(withHeads(vit, 3), 'transformers').loads, 'yes')
  const refused = answerOf(withHeads(timm, 2), 'transformers')
  assert.deepEqual([refused.loads, refused.fields], ['no', ['model_args.num_heads']])
})

const jobWith = (settings: object): PruneJob =>
  pruneSchema.parse({ kind: 'prune', checkpoint: 'model', out: 'run', data: ['text'], ...settings })

/** A Llama of hidden size 32 with so many heads in each of two layers. */
function checkpointWith(heads: number, keyValueHeads = heads): Checkpoint {
  using opened = openCheckpoint(fixtureModel('llama_gqa'))
  const config = withHeads(opened.config, heads, keyValueHeads)
  return { ...opened, config, dtype: 'float32', bytes: 0, parameters: countParameters(config) } as unknown as Checkpoint
}

function planned(settings: object, checkpoint: Checkpoint) {
  const job = jobWith(settings)
  const target = targetOf(job, checkpoint)
  const { compatibility } = estimateJob(job, checkpoint, { target })
  return {
    transformers: compatibility!.find(({ program }) => program === 'transformers')!.loads,
    warnings: headCountWarnings(job, checkpoint.config, target),
  }
}

test('an estimate warns of heads that transformers refuses, and offers ratios that it takes', () => {
  const { transformers, warnings } = planned({ ratio: 0.7 }, checkpointWith(8))
  assert.equal(transformers, 'no')
  assert.equal(warnings.length, 1)
  assert.match(warnings[0]!, /^3 heads are left in a layer\. transformers 5 refuses a llama whose hidden_size \(32\)/)
  assert.match(warnings[0]!, /Numbers that it takes: 2 heads with --ratio 0\.75, 4 heads with --ratio 0\.624\.$/)
  // What it offers does it.
  for (const ratio of [0.75, 0.624])
    assert.deepEqual(planned({ ratio }, checkpointWith(8)), { transformers: 'yes', warnings: [] })
  // Whole key/value heads leave with the query heads that read them: of twelve 9, 6 or 3 are left.
  assert.match(planned({ ratio: 0.25 }, checkpointWith(12, 4)).warnings[0]!, /no ratio leaves a number that it takes/)
  const eight = checkpointWith(8)
  const target = targetOf(jobWith({ ratio: 0.7 }), eight)
  const { after } = estimateJob(jobWith({ ratio: 0.7 }), eight, { target }).parameters
  assert.match(planned({ targetParameters: after }, eight).warnings[0]!, /--ratio 0\.624 in place of the target\.$/)
})

test('an estimate knows that layers which are ranked together will differ', () => {
  const differing = { transformers: 'no', warnings: [] }
  assert.deepEqual(planned({ ratio: 0.5, ranking: 'global' }, checkpointWith(8)), differing)
  const protecting = { ratio: 0.5, uniform: false, protectFirst: 0.5, protectLast: 0 }
  assert.deepEqual(planned(protecting, checkpointWith(8)), differing)
  assert.deepEqual(
    planned({ ratio: 0.5, criterion: 'magnitude-unstructured', schedule: 'one-shot' }, checkpointWith(8)),
    {
      transformers: 'yes',
      warnings: [],
    },
  )
})
