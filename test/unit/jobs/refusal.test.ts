import assert from 'node:assert/strict'
import { copyFileSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { layOut } from '../../../engine/checkpoint/safetensors-header.ts'
import { type EngineEvent, jobSchema } from '../../../engine/contract/index.ts'
import { fitsHere } from '../../../engine/estimate/fits.ts'
import { generateText } from '../../../engine/jobs/generate.ts'
import { runJob } from '../../../engine/jobs/index.ts'
import { measure } from '../../../engine/jobs/measure.ts'
import { generateSchema, measureSchema } from '../../../engine/jobs/settings.ts'
import { adapterMatrices } from '../../../engine/lora/peft.ts'
import { writeAdapter } from '../../../engine/lora/write-peft.ts'
import { adapterValues, createAdapter } from '../../../engine/lora/adapter.ts'
import { parseConfig } from '../../../engine/models/registry.ts'
import { expectedTensors } from '../../../engine/models/tensors.ts'
import { chooseBackend } from '../../../engine/backends/choose.ts'
import { Random } from '../../../engine/shared/random.ts'

const sample = join(import.meta.dirname, '../../../resources/sample')
const folder = mkdtempSync(join(tmpdir(), 'secateur-refusal-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const { signal } = new AbortController()
const machine = { device: 'cpu' } as const

/** A checkpoint of a terabyte, whose weights are a hole in its file. */
async function writeHuge(): Promise<{ checkpoint: string; adapter: string }> {
  const source = {
    model_type: 'llama',
    vocab_size: 2 ** 24,
    hidden_size: 16_384,
    intermediate_size: 16,
    num_hidden_layers: 1,
    num_attention_heads: 128,
    tie_word_embeddings: true,
    max_position_embeddings: 2048,
  }
  const config = parseConfig(source, 'config.json')
  const tensors = [...expectedTensors(config)].map(([name, shape]) => ({ name, dtype: 'float32' as const, shape }))
  const { header, bytes } = layOut(tensors, { format: 'pt' })
  writeFileSync(join(folder, 'config.json'), JSON.stringify(source))
  writeFileSync(join(folder, 'model.safetensors'), header)
  truncateSync(join(folder, 'model.safetensors'), bytes)
  for (const name of ['tokenizer.json', 'tokenizer_config.json'])
    copyFileSync(join(sample, 'model', name), join(folder, name))
  await chooseBackend(machine)
  const settings = { rank: 1, alpha: 1, dropout: 0, rankStabilised: false, targetModules: ['q'] }
  const matrices = adapterMatrices(config, adapterValues(createAdapter(config, settings, new Random(1))).layers)
  const adapter = join(folder, 'adapter')
  await writeAdapter(adapter, { ...settings, base: folder, matrices }, config)
  return { checkpoint: folder, adapter }
}

test('every job says what it needs, and is refused where that is more than there is', async () => {
  const { checkpoint, adapter } = await writeHuge()
  const data = [join(sample, 'heldout.txt')]
  const evaluation = { perplexity: { text: data[0] } }
  const run = (job: object) => (emit: (event: EngineEvent) => void) =>
    runJob(jobSchema.parse({ checkpoint, out: join(folder, 'run'), ...job }), { emit, signal, resume: false })
  const jobs: Record<string, [run: (emit: (event: EngineEvent) => void) => Promise<unknown>, remedy: RegExp]> = {
    prune: [run({ kind: 'prune', data, ...machine }), /smaller batch size.*--int8/],
    finetune: [run({ kind: 'finetune', data, ...machine }), /smaller batch size.*--int8/],
    merge: [run({ kind: 'merge', adapter }), /more memory/],
    evaluate: [run({ kind: 'evaluate', evaluation, ...machine }), /--batch-tokens/],
    generate: [
      (emit) => generateText(generateSchema.parse({ checkpoint, prompt: 'Once', ...machine }), signal, undefined, emit),
      /shorter prompt/,
    ],
    measure: [(emit) => measure(measureSchema.parse({ checkpoint, data, ...machine }), signal, emit), /calibration/],
  }
  for (const [name, [start, remedy]] of Object.entries(jobs)) {
    const events: EngineEvent[] = []
    await assert.rejects(
      start((event) => void events.push(event)),
      { kind: 'does-not-fit', message: remedy },
      name,
    )
    const told = events.find(({ type }) => type === 'estimate')
    assert.ok(told?.type === 'estimate' && told.estimate.memoryBytes > 1e12, name)
  }
})

test('what no precision and no smaller batch makes fit this computer says so, and what it would need', async () => {
  const { train, prune, run, computerBytes } = await fitsHere({ checkpoint: folder, ...machine })
  for (const fit of [train, prune, run]) {
    assert.deepEqual([fit.fits, fit.reduced, fit.placement], [false, true, 'processor'])
    assert.ok(fit.memoryBytes > computerBytes)
  }
  assert.match(train.detail!, /with 8-bit base weights, micro-batches of 1 and gradient checkpointing; .* can be taken/)
  assert.match(run.detail!, /in batches of 256 tokens/)
  // What fits in 8 bits alone is said to.
  const known = await fitsHere({ checkpoint: join(sample, 'model'), ...machine })
  assert.deepEqual([known.train.fits, known.train.precision, known.train.detail], [true, 'bfloat16', null])
})
