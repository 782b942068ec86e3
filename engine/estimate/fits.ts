import { chooseBackend } from '../backends/choose.ts'
import {
  evaluateSchema,
  finetuneSchema,
  type Fit,
  type Fits,
  type ParsedServiceParams,
  presetFor,
  pruneSchema,
} from '../contract/index.ts'
import { type Checkpoint, openCheckpoint } from '../models/checkpoint.ts'
import { isOfImages } from '../models/encoder-config.ts'
import { totalMemory } from '../shared/available-memory.ts'
import { failureOf } from '../shared/errors.ts'
import { sizeText } from '../shared/size-text.ts'
import { forModel } from '../training/job-for-model.ts'
import { heldMemory } from './held-memory.ts'
import { placementOf } from './placement.ts'
import type { GenerateWork, Work } from './work.ts'

/** Share of the computer's memory that one job may take: the system and other programs need some. */
const usable = 0.9
/** Stands for the files of a job whose memory alone is asked for. */
const anyPath = 'any'

/** A way to do something, from the one that computes best and fastest to the one that needs least. */
interface Way {
  works: Work[]
  precision: string
  reduced: boolean
}

/** What can be done with a checkpoint on this computer, with default settings and all of its memory. */
export async function fitsHere({ checkpoint: path, ...machine }: ParsedServiceParams<'fits'>): Promise<Fits> {
  using checkpoint = openCheckpoint(path)
  await chooseBackend(machine)
  const computerBytes = Math.floor(usable * totalMemory())
  const fit = (ways: () => Way[]) => bestOf(ways, checkpoint, computerBytes)
  return {
    computerBytes,
    train: fit(() => waysToTrain('finetune', checkpoint)),
    prune: fit(() => waysToTrain('prune', checkpoint)),
    run: fit(() => waysToRun(checkpoint)),
  }
}

function waysToTrain(kind: 'finetune' | 'prune', { config, dtype }: Checkpoint): Way[] {
  const paths = { kind, checkpoint: anyPath, data: [anyPath], out: anyPath }
  const recommended = presetFor('recommended', pruneSchema.shape, isOfImages(config)).settings
  const job = (more: object) =>
    kind === 'prune'
      ? forModel(pruneSchema.parse({ ...recommended, ...paths, ...more }), config)
      : forModel(finetuneSchema.parse({ ...paths, ...more }), config)
  const least = { batchSize: 1, gradientCheckpointing: 'on', int8: true }
  return [
    { works: [job({})], precision: dtype, reduced: false },
    { works: [job({ int8: true })], precision: '8-bit', reduced: false },
    { works: [job(least)], precision: '8-bit', reduced: true },
  ]
}

/** Scoring a task, and continuing a prompt where the model writes. */
function waysToRun({ config, dtype }: Checkpoint): Way[] {
  const images = isOfImages(config)
  const scored = images ? { images: anyPath } : { tasks: { piqa: anyPath } }
  const score = (more: object) =>
    evaluateSchema.parse({ kind: 'evaluate', checkpoint: anyPath, evaluation: { ...scored, ...more } })
  const write: GenerateWork[] = images ? [] : [{ kind: 'generate', prompt: 512, maxNewTokens: 256 }]
  return [
    { works: [score({}), ...write], precision: dtype, reduced: false },
    { works: [score({ batchTokens: 256 }), ...write], precision: dtype, reduced: true },
  ]
}

/** The first way that fits, or why the last one does not. */
function bestOf(waysOf: () => Way[], checkpoint: Checkpoint, computerBytes: number): Fit {
  let last: Fit | undefined
  try {
    for (const { works, precision, reduced } of waysOf()) {
      const placement = placementOf(works[0]!, checkpoint)
      const memoryBytes = Math.round(Math.max(...works.map((work) => heldMemory(work, checkpoint, placement))))
      const fits = memoryBytes <= computerBytes
      last = {
        fits,
        precision,
        reduced,
        memoryBytes,
        placement: !placement ? 'processor' : placement.streamedBytes > 0 ? 'streamed' : 'card',
        detail: fits
          ? (placement?.detail ?? null)
          : `Needs about ${sizeText(memoryBytes)} of memory${reduced ? `, ${leastOf(precision)}` : ''}; ${sizeText(computerBytes)} of this computer's can be taken.`,
      }
      if (fits) return last
    }
    return last!
  } catch (error) {
    // What the family or the weights do not allow.
    const detail = failureOf(error).message
    return { fits: false, precision: checkpoint.dtype, reduced: false, memoryBytes: 0, placement: 'processor', detail }
  }
}

const leastOf = (precision: string): string =>
  precision === '8-bit'
    ? 'with 8-bit base weights, micro-batches of 1 and gradient checkpointing'
    : 'in batches of 256 tokens'
