import type { FinetuneJob, JobContext, PruneJob, RowCounts } from '../contract/index.ts'
import { type Batches, makeBatches, type TrainingBatch } from '../data/batches.ts'
import { calibrationBatches } from '../data/calibration.ts'
import type { EncodedExample } from '../data/example.ts'
import { holdOut, nothingHeldOut } from '../data/held-out.ts'
import { loadTrainingData } from '../data/load.ts'
import type { TrainingData } from '../data/load-types.ts'
import { countsOf, lostShare } from '../data/lost-rows.ts'
import type { TrainedClasses } from '../evaluation/match-classes.ts'
import type { Checkpoint } from '../models/checkpoint.ts'
import { openTokenizer } from '../models/model-tokenizer.ts'
import { stopIdsOf } from '../models/stop-ids.ts'
import { badSetting } from '../shared/errors.ts'
import { checkSampleSettings, type TextTools } from './samples.ts'
import { type SelfDataWork, writeSelfData } from './self-data.ts'
import { StageProgress } from './stage-progress.ts'

/** What the loss is measured on beside the training: each example once, in batches of the training's shape. */
export interface ValidationData {
  batches: Batches
  /** The file that it comes from; null where it was held out of the training data. */
  file: string | null
  rows: number
  /** Tokens, or images, that loss is taken of. */
  targets: number
}

/** What a run trains on, and what it is measured on. */
export interface RunData extends Disposable {
  batches: Batches
  /** What became of the rows of the training data. */
  rows: RowCounts
  validation: ValidationData | null
  /** Null where the model looks at images. */
  text: TextTools | null
  /** The classes of images; null of text. */
  classes: TrainedClasses | null
  /** What criteria look at before groups are chosen; of a pruning job alone. */
  calibration(): Promise<TrainingBatch[]>
}

/**
 * Reads the training texts and the validation texts of a job.
 *
 * @param writing where the dense model writes rows of its own, if the job asks for them, and what with
 */
export async function readTextData(
  job: FinetuneJob | PruneJob,
  checkpoint: Checkpoint,
  { emit, signal }: Pick<JobContext, 'emit' | 'signal'>,
  writing: Pick<SelfDataWork, 'folder' | 'model'>,
): Promise<RunData> {
  const tokenizer = await openTokenizer(checkpoint)
  checkSampleSettings(job, tokenizer, checkpoint.config.maxPositions)
  const text = { tokenizer, stopIds: job.sampleEvery > 0 ? stopIdsOf(checkpoint) : [] }
  const ofText = (heldOut: ReadonlySet<number>) => ({
    text,
    classes: null,
    calibration: async () => (job.kind === 'prune' ? calibrationBatches(job, tokenizer, { signal }, heldOut) : []),
    [Symbol.dispose]() {},
  })
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
      repeats: job.distilCache > 0,
      padId: tokenizer.padId ?? tokenizer.eosId ?? 0,
    })
  const data = await load(job.data, job.maxDocuments)
  emit({ type: 'data', rows: countsOf(data) })
  tellLoss(data, emit, '')
  const { validation } = job
  const apart = typeof validation === 'string' ? await load([validation]) : null
  if (apart) tellLoss(apart, emit, 'validation: ')
  const { training, heldOut, rows } =
    typeof validation === 'number' ? holdOut(data, validation, job.seed) : nothingHeldOut(data)
  const examples = job.selfData > 0 ? await withSelfData() : training
  return {
    batches: batchesOf(examples, false),
    rows: countsOf(data),
    validation: apart
      ? validationOf(batchesOf(apart.examples, true), apart.documents, validation as string)
      : validation === undefined
        ? null
        : validationOf(batchesOf(heldOut, true), rows.size, null),
    ...ofText(rows),
  }

  /** Prompts are drawn from the rows that are trained on: what is held out stays unseen. */
  async function withSelfData(): Promise<EncodedExample[]> {
    emit({ type: 'phase', phase: 'writing self-data' })
    const prompted = data.documentRows.filter((row) => !rows.has(row))
    const file = await writeSelfData(job, prompted, { ...writing, checkpoint, tokenizer }, { emit, signal })
    const written = await load([file])
    tellLoss(written, emit, 'self-data: ')
    return job.selfDataUse === 'beside' ? [...training, ...written.examples] : written.examples
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
