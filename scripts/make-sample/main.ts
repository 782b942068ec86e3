// npm run make-sample: writes the sample's data and trains its model with the engine, from a seed.
import { renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { chooseBackend } from '../../engine/backends/choose.ts'
import { writeCheckpoint } from '../../engine/models/write-checkpoint.ts'
import { parseConfig } from '../../engine/models/registry.ts'
import type { StoredTensor } from '../../engine/tensor/stored-tensor.ts'
import { loadTokenizer } from '../../engine/tokenizer/tokenizer.ts'
import { makeBatches } from '../../engine/data/batches.ts'
import { encodeText } from '../../engine/data/text.ts'
import { Random } from '../../engine/shared/random.ts'
import { FullTrainer, randomWeights, type Weights } from '../../engine/training/from-scratch.ts'
import { model, sampleSeed, training } from './recipe.ts'
import { trainingText } from './training-text.ts'
import { writeData } from './write-data.ts'

const { values } = parseArgs({
  options: { out: { type: 'string' }, steps: { type: 'string' }, threads: { type: 'string' } },
})
const folder = values.out ?? join(import.meta.dirname, '../../resources/sample')
const steps = Number(values.steps ?? training.steps)

console.error('writing text, questions and tokenizer')
writeData(folder, sampleSeed)
const weights = await train(join(folder, 'model'))
await replaceModel(join(folder, 'model'), weights)

async function train(tokenizerFolder: string): Promise<Weights> {
  await chooseBackend(values.threads === undefined ? {} : { threads: Number(values.threads) })
  const tokenizer = await loadTokenizer(tokenizerFolder)
  const examples = trainingText(sampleSeed).map((text) => encodeText(text, tokenizer))
  const batches = makeBatches(examples, {
    rows: training.rowsPerStep,
    length: training.rowLength,
    seed: sampleSeed,
    mode: 'pack',
    padId: 0,
  })
  const config = parseConfig(model, 'recipe.ts')
  const start = randomWeights(config, model.initializer_range, new Random(sampleSeed).fork('weights'))
  const trainer = new FullTrainer(config, start, training)
  const started = performance.now()
  for (let step = 1; step <= steps; step++) {
    const loss = trainer.step(batches.at(step - 1), step, learningRateOf(step))
    if (step % 50 !== 0 && step !== steps) continue
    const seconds = (performance.now() - started) / 1000
    const left = (seconds / step) * (steps - step)
    console.error(`step ${step} of ${steps}, loss ${loss.toFixed(4)}, ${Math.round(left)} s left`)
  }
  return trainer.weights
}

/** Linear warm-up, then half a cosine down to the last rate. */
function learningRateOf(step: number): number {
  const { learningRate, finalLearningRate, warmUpSteps } = training
  if (step <= warmUpSteps) return (learningRate * step) / warmUpSteps
  const progress = (step - warmUpSteps) / (steps - warmUpSteps)
  return finalLearningRate + ((learningRate - finalLearningRate) * (1 + Math.cos(Math.PI * progress))) / 2
}

/** Puts weights and tokenizer in place of the folder that held the tokenizer alone. */
async function replaceModel(target: string, trained: Weights): Promise<void> {
  const fresh = `${target}.new`
  rmSync(fresh, { recursive: true, force: true })
  const config = parseConfig(model, 'recipe.ts')
  const tensors = [...trained].map(([name, tensor]): StoredTensor => {
    const data = tensor.dataSync() as Float32Array
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    return { name, dtype: 'float32', shape: tensor.shape, bytes }
  })
  await writeCheckpoint(fresh, { config, dtype: 'bfloat16', tensors, tokenizerFrom: target })
  rmSync(target, { recursive: true })
  renameSync(fresh, target)
}
