import { median } from 'simple-statistics'
import { freeUnused } from '../backends/webgpu/backend.ts'
import { cardBytes, currentCard } from '../backends/webgpu/measure.ts'
import { countParameters } from '../models/tensors.ts'
import { measureLatency } from '../evaluation/latency.ts'
import { CausalScoring } from '../evaluation/causal-scoring.ts'
import { disposeMatrices } from '../lora/adapter.ts'
import { disposeModel } from '../models/load.ts'
import { peakMemory } from '../estimate/memory.ts'
import { type TokenWork, tokenWork } from './card-token.ts'
import { randomModel } from './random-model.ts'
import { configOf, type ShapeName } from './shapes.ts'
import { subjectOf } from './subject.ts'

export interface ModelSpeed {
  shape: ShapeName
  parameters: number
  weights: 'float16' | 'int8'
  rows: number
  length: number
  /** A training step of the adapter: gradients, clipping, AdamW. */
  trainingTokensPerSecond: number
  /** A LoRAPrune step: the training step with the scores of all groups. */
  pruningTokensPerSecond: number
  /** Seconds in which all groups are scored once. */
  scoringSeconds: number
  /** Log-likelihoods of given texts. */
  promptTokensPerSecond: number
  /** One sequence, token by token. */
  generatedTokensPerSecond: number
  /** What a token of that takes beside waiting for the card; null where the processor computes. */
  generatedToken: TokenWork | null
  /** Bytes on the card at most; null where the processor computes. */
  deviceBytes: number | null
  hostBytes: number
}

export interface WorkSettings {
  scale: number
  rows: number
  length: number
  repeats: number
  int8: boolean
  signal: AbortSignal
}

/** What a user waits for, on a Llama of that shape with random weights; medians of `repeats` after one that warms up. */
export async function measureModel(shape: ShapeName, settings: WorkSettings): Promise<ModelSpeed> {
  const { rows, length, repeats, signal } = settings
  const config = configOf(shape, settings.scale)
  const model = randomModel(config, settings.int8)
  const { ids, adapter, trainer, items, score } = subjectOf(model, { rows, length, gradientCheckpointing: 'on' })
  const card = currentCard()
  let deviceBytes = 0
  const look = () => (deviceBytes = Math.max(deviceBytes, card ? cardBytes(card) : 0))
  try {
    let step = 0
    const stepSeconds = medianSeconds(repeats, signal, () => {
      trainer.step(++step)
      look()
    })
    const scoringTimes: number[] = []
    const pruneSeconds = medianSeconds(repeats, signal, () => {
      trainer.step(++step, ({ gradients }) => {
        const started = performance.now()
        score(gradients)
        scoringTimes.push((performance.now() - started) / 1000)
      })
      look()
    })
    // A run evaluates a model that it loads anew, and buffers of its training are free by then.
    if (card) freeUnused(card)
    const scoring = new CausalScoring(model)
    const promptTimes: number[] = []
    for (let i = 0; i <= repeats; i++) {
      signal.throwIfAborted()
      const started = performance.now()
      await scoring.logLikelihoods(items)
      promptTimes.push((performance.now() - started) / 1000)
      look()
    }
    const { generatedTokensPerSecond } = await measureLatency(model, { ...generated, repeats: 1, signal })
    const generatedToken = card && tokenWork(model, card, generated)
    look()
    return {
      shape,
      parameters: countParameters(config),
      weights: settings.int8 ? 'int8' : 'float16',
      rows,
      length,
      trainingTokensPerSecond: ids.length / stepSeconds,
      pruningTokensPerSecond: ids.length / pruneSeconds,
      scoringSeconds: median(scoringTimes.slice(1)),
      promptTokensPerSecond: ids.length / median(promptTimes.slice(1)),
      generatedTokensPerSecond,
      generatedToken,
      deviceBytes: card ? deviceBytes : null,
      hostBytes: peakMemory().peakMemoryBytes,
    }
  } finally {
    trainer.dispose()
    disposeMatrices(adapter.layers)
    disposeModel(model)
  }
}

const generated = { prompt: 16, tokens: 64 }

/** Median seconds of synchronous work, after once that compiles. */
function medianSeconds(repeats: number, signal: AbortSignal, work: () => void): number {
  const seconds: number[] = []
  for (let i = 0; i <= repeats; i++) {
    signal.throwIfAborted()
    const started = performance.now()
    work()
    seconds.push((performance.now() - started) / 1000)
  }
  return median(seconds.slice(1))
}
