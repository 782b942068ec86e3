import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import type { TrainingBatch } from '../../engine/data/batches.ts'
import type { EncoderConfig } from '../../engine/models/encoder-config.ts'
import { readState, writeState } from '../../engine/runs/state-file.ts'
import { restoredValues } from '../../engine/runs/state.ts'
import { Random } from '../../engine/shared/random.ts'
import { type AdamWSettings, learningRateAt } from '../../engine/training/adamw.ts'
import { FullTrainer, randomWeights, type Weights } from '../../engine/training/from-scratch.ts'

/** How a ViT is trained from random weights. */
export interface VitTraining extends AdamWSettings {
  rowsPerStep: number
  steps: number
  learningRate: number
  warmupRatio: number
  maxGradientNorm: number
  /** Deviation of the first weights. */
  initializerRange: number
}

export interface VitTrainingOptions {
  config: EncoderConfig
  training: VitTraining
  seed: number
  /** The batch of a step, which counts from 1. */
  batchAt: (step: number) => TrainingBatch
  /** Where the state is saved every so many steps, to go on from. */
  stateFile: string
  every: number
  /** Hears of the mean loss since the last report, and may score the weights. */
  onReport: (report: { step: number; loss: number; secondsLeft: number; weights: Weights }) => Promise<void> | void
  signal: AbortSignal
}

/** Trains every weight: linear warm-up, then half a cosine down to zero. Stopped, it goes on from what it saved last. */
export async function trainVit(options: VitTrainingOptions): Promise<Weights> {
  const { config, training, seed, batchAt, stateFile, every, onReport, signal } = options
  const { steps } = training
  const start = randomWeights(config, training.initializerRange, new Random(seed).fork('weights'))
  const trainer = new FullTrainer(config, start, training)
  let first = 1
  if (existsSync(stateFile)) {
    const { step, values } = readState(stateFile)
    trainer.restore(restoredValues(values, stateFile))
    first = step + 1
  }
  const started = performance.now()
  const rate = { ...training, learningRateSchedule: 'cosine' as const }
  let sum = 0
  let counted = 0
  for (let step = first; step <= steps; step++) {
    signal.throwIfAborted()
    sum += trainer.step(batchAt(step), step, learningRateAt(step, steps, rate))
    counted++
    // A stop must be heard.
    await setImmediate()
    if (step % every !== 0 && step !== steps) continue
    writeState(stateFile, step, trainer.state())
    const secondsLeft = ((performance.now() - started) / 1000 / (step - first + 1)) * (steps - step)
    await onReport({ step, loss: sum / counted, secondsLeft, weights: trainer.weights })
    sum = counted = 0
  }
  return trainer.weights
}

/** Where a training leaves the state that it goes on from. */
export const stateFileIn = (folder: string): string => join(folder, 'state.safetensors')
