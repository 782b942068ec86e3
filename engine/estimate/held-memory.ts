import type { FinetuneJob, MergeJob, Placement, PruneJob } from '../contract/index.ts'
import { makesAhead } from '../data/images/prefetch.ts'
import { exportMemory } from '../export/size.ts'
import { type Checkpoint, openCheckpoint } from '../models/checkpoint.ts'
import { isOfImages } from '../models/encoder-config.ts'
import { linearNames, tensorsOf } from '../models/tensors.ts'
import { keepsActivations } from '../training/gradients.ts'
import { comparedFloats, evaluationFloats, generationFloats } from './forward-memory.ts'
import { adapterFloats, type HeldModel, largestBlock, oneAfterTheOther } from './memory-facts.ts'
import { sum } from '../shared/sum.ts'
import { scoringBytes } from './scoring-cost.ts'
import { selfDataFloats } from './self-data.ts'
import { trainingFloats } from './training-memory.ts'
import { teacherConfig } from './teacher.ts'
import type { MeasureWork, Work } from './work.ts'

/** Node and the code; with a back end, TensorFlow.js and ONNX Runtime; and compiled graphs, by what there are graphs of. */
const programBytes = 182e6
/** Of what computes nothing, and loads less. */
const smallProgramBytes = 168e6
/** Arrays that were read or written, of which so much waits before they are collected. */
const uncollectedBytes = 70e6
const backendBytes = 22e6
const graphBytes = { prune: 42e6, finetune: 42e6, measure: 60e6, evaluate: 35e6, generate: 10e6 }
/** And of the graphs of a teacher's pass and of its loss, or of a comparison with the dense model. */
const teacherGraphBytes = 20e6
/** The program that decodes images and its threads; a thread that makes batches of them ahead, with two that lie ready. */
const decoderBytes = 75e6
const aheadBytes = 45e6
/** What the driver of a graphics card takes of the computer's memory. */
const driverBytes = 35e6
/** What the allocator cannot use of what was freed, and arrays that wait for their collection. */
const slack = 1.15

/**
 * What lies unused between the blocks of memory that hold weights, of all bytes beyond the first so many: 1.1 billion
 * parameters in float16 need it, 150 million do not.
 */
const unusedShare = 0.1
const denseWeightBytes = 5e8

type Computing = Exclude<Work, { kind: 'merge' | 'export' | 'import' }>

/**
 * Bytes that the process holds at most that does the work: an upper bound, not far above what is measured.
 *
 * @param placement where a graphics card holds weights and activations; undefined where the processor computes
 */
export function heldMemory(work: Work, checkpoint: Checkpoint, placement?: Placement): number {
  if (work.kind === 'merge' || work.kind === 'import') return smallProgramBytes + slack * mergeBytes(work, checkpoint)
  if (work.kind === 'export') return programBytes + exportMemory(work, checkpoint)
  if (work.kind === 'evaluate' && work.compareWith !== undefined) {
    using dense = openCheckpoint(work.compareWith)
    // One after the other is scored, and both with the same settings.
    const { compareWith: _, ...alone } = work
    const both = [checkpoint, dense].map((model) => heldMemory(alone, model, placement))
    return Math.max(...both) + teacherGraphBytes + slack * 4 * comparedFloats(heldModel(work, dense), work.evaluation)
  }
  const taught = 'distil' in work && work.distil > 0 ? teacherGraphBytes : 0
  const program = programBytes + backendBytes + graphBytes[work.kind] + taught + bytesOfImages(work, checkpoint)
  if (placement && !placement.sharesMemory) return program + besideCardBytes(work, checkpoint, placement)
  const weights = weightBytes(work, checkpoint)
  const unused = unusedShare * Math.max(0, weights - denseWeightBytes)
  return program + weights + unused + slack * workBytes(work, checkpoint)
}

function bytesOfImages(work: Computing, { config }: Checkpoint): number {
  if (!isOfImages(config)) return 0
  const ahead =
    'augmentation' in work && makesAhead({ ...config, rows: work.batchSize, augmentation: work.augmentation })
  return decoderBytes + (ahead ? aheadBytes : 0)
}

/** Bytes of the frozen weights in the form in which they are held, those of another teacher included. */
export function weightBytes(work: Work, checkpoint: Checkpoint): number {
  const own = bytesHeld(checkpoint, holdsInt8(work))
  if (!('teacher' in work) || work.teacher === undefined) return own
  using teacher = openCheckpoint(work.teacher)
  return own + bytesHeld(teacher, holdsInt8(work))
}

function bytesHeld({ config, tensors, bytes }: Checkpoint, int8: boolean): number {
  if (!int8) return bytes
  // A byte a weight, and a scale a row.
  const held = tensorsOf(config).map(({ name, shape, role }) =>
    role.part === 'weight' ? shape[0]! * (shape[1]! + 4) : (tensors.get(name)?.bytes ?? 0),
  )
  return sum(held)
}

const holdsInt8 = (work: Work): boolean => 'int8' in work && work.int8

/** What stays in the computer's memory where a card has memory of its own. */
function besideCardBytes(work: Computing, checkpoint: Checkpoint, { streamedBytes }: Placement): number {
  // Weights in 8 bits that are streamed are kept here; others are read again.
  const streamed = holdsInt8(work) ? streamedBytes : 0
  const adapter = 'targetModules' in work ? 5 * 4 * adapterFloats(checkpoint.config, work) : 0
  return driverBytes + streamed + adapter + (work.kind === 'prune' ? writingBytes(work, checkpoint) : 0)
}

/** Numbers of a token that are held of a teacher: its hidden state, or the ids and shares of its likeliest tokens beside it. */
const teacherSize = (job: FinetuneJob | PruneJob, { config }: Checkpoint): number =>
  (teacherConfig(job, config)?.hiddenSize ?? 0) + 2 * job.distilCache

function heldModel(work: Work, { config, dtype }: Checkpoint): HeldModel {
  const int8 = holdsInt8(work)
  const widens = dtype !== 'float32'
  return {
    config,
    int8,
    widensLinears: int8 || widens,
    widensTables: widens,
    copiesBits: !int8 && dtype === 'bfloat16',
  }
}

function workBytes(work: Computing, checkpoint: Checkpoint): number {
  const { config } = checkpoint
  const model = heldModel(work, checkpoint)
  switch (work.kind) {
    case 'generate':
      return 4 * generationFloats(model, work.prompt, work.maxNewTokens)
    case 'measure':
      return measureBytes(model, work)
    case 'evaluate':
      return 4 * evaluationFloats(model, work.evaluation)
    default: {
      const {
        batchSize: rows,
        sequenceLength: length,
        rank,
        targetModules,
        dropout,
        gradientCheckpointing: again,
      } = work
      const keeps = again === 'off' || (again === 'auto' && keepsActivations(config, rows, length))
      const prunes = work.kind === 'prune'
      const adapter = { rank, targetModules, drops: dropout > 0 }
      const training = {
        rows,
        length,
        ...adapter,
        masks: prunes,
        keeps,
        scores: prunes,
        teacherSize: teacherSize(work, checkpoint),
      }
      const steps = 4 * trainingFloats(model, training) + (prunes ? scoringBytes(work, config) : 0)
      const samples = work.sampleEvery > 0 ? 4 * generationFloats(model, 128, work.sampleTokens) : 0
      const scored = prunes && work.evaluation ? evaluationFloats(model, work.evaluation) : 0
      const compared = prunes && work.evaluation && work.evaluateDense ? comparedFloats(model, work.evaluation) : 0
      const trained = Math.max(steps, prunes ? writingBytes(work, checkpoint) : 0)
      return oneAfterTheOther(trained, samples, 4 * selfDataFloats(model, work), 4 * (scored + compared))
    }
  }
}

/** Gradients of the adapter, then of the weights of one block, then moments of every block's input and output. */
function measureBytes(model: HeldModel, { batchSize, sequenceLength, calibrationSamples, rank }: MeasureWork): number {
  const { config } = model
  const settings = { rows: batchSize, length: sequenceLength, rank, targetModules: linearNames(config) }
  const plain = { drops: false, masks: false, keeps: false, teacherSize: 0 }
  const gradients = trainingFloats(model, { ...settings, ...plain, scores: true })
  const inputs =
    Math.max(0, calibrationSamples - batchSize) * sequenceLength * config.hiddenSize * (config.layers.length + 1)
  const moments = 8 * 2 * config.hiddenSize ** 2 * (config.layers.length + 1)
  return oneAfterTheOther(4 * gradients, 4 * (4.5 * largestBlock(config) + inputs), moments)
}

/** The largest tensor on its way into the file, and those before it that are not collected yet. */
function mergeBytes(job: Pick<MergeJob, 'outputDtype'>, { config, tensors, dtype }: Checkpoint): number {
  const converts = job.outputDtype !== 'same' && job.outputDtype !== dtype
  const values = tensorsOf(config).map(({ name, shape, role }) => ({
    stored: tensors.get(name)?.bytes ?? 0,
    floats: 4 * shape.reduce((product, size) => product * size, 1),
    merged: role.part === 'weight',
  }))
  // A weight that is merged is widened and rounded.
  const passing = values.map(
    ({ stored, floats, merged }) => stored + (merged ? stored + 2 * floats : converts ? 2 * floats : 0),
  )
  return Math.max(...passing) + Math.min(uncollectedBytes, sum(values.map(({ floats }) => floats)))
}

/** The adapter, and the largest tensor on its way into the file; the one before it may not be collected yet. */
function writingBytes(job: PruneJob, { config, tensors, dtype }: Checkpoint): number {
  const converts = job.outputDtype !== 'same' && job.outputDtype !== dtype
  const sizes = tensorsOf(config).map(({ name, shape, role }) => {
    const stored = tensors.get(name)?.bytes ?? 0
    const widened = role.part === 'weight' || converts ? 2 * 4 * shape.reduce((product, size) => product * size, 1) : 0
    return 2.5 * stored + widened
  })
  return 4 * 4 * adapterFloats(config, job) + Math.max(...sizes)
}
