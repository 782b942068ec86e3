import type { FinetuneJob, JobContext, PruneJob, RowCounts } from '../contract/index.ts'
import { type Batches, makeBatches } from '../data/batches.ts'
import type { EncodedExample } from '../data/example.ts'
import { holdOut } from '../data/held-out.ts'
import { loadTrainingData } from '../data/load.ts'
import type { TrainingData } from '../data/load-types.ts'
import { countsOf, lostShare } from '../data/lost-rows.ts'
import { badSetting } from '../shared/errors.ts'
import type { Tokenizer } from '../tokenizer/tokenizer-type.ts'
import { StageProgress } from './stage-progress.ts'

/** What the loss is measured on beside the training: each example once, in batches of the training's shape. */
export interface ValidationData {
  batches: Batches
  /** The file that it comes from; null where it was held out of the training data. */
  file: string | null
  rows: number
  /** Tokens that loss is taken of. */
  targets: number
}

/** What a run trains on, and what it is measured on. */
export interface RunData {
  batches: Batches
  /** What became of the rows of the training data. */
  rows: RowCounts
  validation: ValidationData | null
  /** Numbers of the rows of the training data that are held out, counted from 1. */
  heldOut: ReadonlySet<number>
}

/** Reads the training data and the validation data of a job. */
export async function readRunData(
  job: FinetuneJob | PruneJob,
  tokenizer: Tokenizer,
  { emit, signal }: Pick<JobContext, 'emit' | 'signal'>,
): Promise<RunData> {
  const reading = new StageProgress('reading data', emit)
  const load = (files: readonly string[], limit?: number) =>
    loadTrainingData(files, {
      tokenizer,
      trainOn: job.trainOn,
      badRows: job.badRows,
      maxLostRows: job.maxLostRows,
      ...(job.packing === 'pack' ? {} : { maxLength: job.sequenceLength }),
      ...(job.field === undefined ? {} : { field: job.field }),
      ...(limit === undefined ? {} : { limit }),
      onProgress: ({ documents }) => reading.report(documents, limit ?? 0),
      signal,
    })
  const batchesOf = (examples: readonly EncodedExample[], once: boolean) =>
    makeBatches(examples, {
      rows: job.batchSize,
      length: job.sequenceLength,
      seed: job.seed,
      mode: job.packing,
      once,
      padId: tokenizer.padId ?? tokenizer.eosId ?? 0,
    })
  const data = await load(job.data, job.maxDocuments)
  emit({ type: 'data', rows: countsOf(data) })
  tellLoss(data, emit, '')
  const { validation } = job
  if (validation === undefined)
    return { batches: batchesOf(data.examples, false), rows: countsOf(data), validation: null, heldOut: new Set() }
  if (typeof validation === 'string') {
    const apart = await load([validation])
    tellLoss(apart, emit, 'validation: ')
    return {
      batches: batchesOf(data.examples, false),
      rows: countsOf(data),
      validation: validationOf(batchesOf(apart.examples, true), apart.documents, validation),
      heldOut: new Set(),
    }
  }
  const { training, heldOut, rows } = holdOut(data, validation, job.seed)
  return {
    batches: batchesOf(training, false),
    rows: countsOf(data),
    validation: validationOf(batchesOf(heldOut, true), rows.size, null),
    heldOut: rows,
  }
}

/** Blank lines of a text are as they should be; everything else that is lost is worth a warning. */
function tellLoss(data: TrainingData, emit: JobContext['emit'], prefix: string): void {
  if (data.loss === null) return
  const message = `${prefix}${data.loss}`
  const isExpected = data.cut === 0 && lostShare(data) === 0
  emit(isExpected ? { type: 'log', level: 'info', message } : { type: 'warning', message })
}

function validationOf(batches: Batches, rows: number, file: string | null): ValidationData {
  let targets = 0
  for (let index = 0; index < batches.perEpoch; index++) targets += batches.at(index).targets
  if (targets === 0) throw badSetting('validation', 'holds nothing to learn: give rows with answers or texts')
  return { batches, file, rows, targets }
}
