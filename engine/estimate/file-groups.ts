import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { FinetuneJob, Job, PruneJob, RowCounts } from '../contract/index.ts'
import { checkShares } from '../data/calibration.ts'
import { heldOutCount } from '../data/held-out.ts'
import { loadTrainingData, type LoadOptions, refuseLoss } from '../data/load.ts'
import { countsOf, describeLoss } from '../data/lost-rows.ts'
import { evaluationProblems } from '../evaluation/check-evaluation.ts'
import { imageProblems } from '../evaluation/check-images.ts'
import { filesBesideTask } from '../evaluation/files-beside.ts'
import { configOf } from '../models/checkpoint.ts'
import { isOfImages } from '../models/encoder-config.ts'
import { openTokenizer, tokenizerFileNames } from '../models/model-tokenizer.ts'
import type { ModelConfig } from '../models/model-config.ts'
import { outputProblems } from '../runs/output-files.ts'
import { collectProblems, type SecateurError } from '../shared/errors.ts'
import { checkOtherImages, configAfter, trainingImages } from './image-files.ts'

/** A job whose files are read; the runs of a sweep have no folder yet. */
export type ReadingJob = Exclude<Job, { kind: 'sweep' | 'prune' }> | Omit<PruneJob, 'out'>

/** What files were found to hold. */
export interface CheckedFiles {
  /** What becomes of the rows of training data; null of other files, and where they cannot be read. */
  rows: RowCounts | null
  /** Tokens at which conversations are cut; null where they are not. */
  cutAt: number | null
  loss: string | null
  /** Rows for which the job is refused, and which it could skip. */
  badRows: number
  /** Tokens that a model reads of each task and text that is scored. */
  scored: Readonly<Record<string, number>>
  problems: readonly SecateurError[]
}

const nothingFound: Omit<CheckedFiles, 'problems'> = { rows: null, cutAt: null, loss: null, badRows: 0, scored: {} }

/** Files that are checked together. */
export interface FileGroup {
  /** What is found follows from this, and from the files. */
  key: string
  files: string[]
  /** Whether it follows from more than these, so that it is sought every time. */
  changes?: true
  check(signal: AbortSignal, onFile: (file: string, fraction: number) => void): Promise<CheckedFiles>
}

/** What tells whether a file is still the same; null where it cannot be looked at, as the check will say. */
export function stateOf(file: string): { size: number; changed: number; inode: number } | null {
  try {
    const { size, mtimeMs, ino } = statSync(file)
    return { size, changed: mtimeMs, inode: ino }
  } catch {
    return null
  }
}

/** The data and task files of a job, by what reads them. */
export function fileGroupsOf(job: ReadingJob): FileGroup[] {
  const training = job.kind === 'finetune' || job.kind === 'prune' ? [trainingFiles(job), ...validationFiles(job)] : []
  return [...training, ...calibrationFiles(job), ...evaluationFiles(job)]
}

/** The files that a checkpoint's tokenizer follows from: those of its folder, or one GGUF file. */
const tokenizerStates = (checkpoint: string) =>
  [checkpoint, ...['config.json', ...tokenizerFileNames].map((name) => join(checkpoint, name))].map(stateOf)

const modelOf = ({ checkpoint, imageSize }: { checkpoint: string; imageSize?: number | undefined }) => ({
  folder: checkpoint,
  config: configOf(checkpoint, imageSize),
})

const looksAtImages = ({ config }: { config: ModelConfig }): boolean => isOfImages(config)

/** What is found of images, of which nothing but problems is told. */
async function checkedImages(check: () => Promise<void>): Promise<CheckedFiles> {
  const problems: SecateurError[] = []
  await collectProblems(problems, check)
  return { ...nothingFound, problems }
}

/** Training data, read as `prepareTraining` does. */
function trainingFiles(job: FinetuneJob | Omit<PruneJob, 'out'>): FileGroup {
  const { checkpoint, data, badRows, maxLostRows } = job
  const cutAt = job.packing === 'pack' ? null : job.sequenceLength
  const share = typeof job.validation === 'number' ? job.validation : null
  const settings = [rowSettingsOf(job), job.trainOn, maxLostRows, cutAt, share]
  return {
    key: JSON.stringify(['training', checkpoint, tokenizerStates(checkpoint), data, settings]),
    files: data,
    async check(signal, onFile) {
      const model = modelOf(job)
      if (looksAtImages(model)) {
        let rows: RowCounts | null = null
        const found = await checkedImages(async () => void (rows = await trainingImages(job, model, signal)))
        return { ...found, rows }
      }
      const options = { ...(await loadOptions(job, signal, onFile)), trainOn: job.trainOn }
      const found = { ...nothingFound, cutAt }
      const problems: SecateurError[] = []
      await collectProblems(problems, async () => {
        const read = await loadTrainingData(data, { ...options, ...(cutAt === null ? {} : { maxLength: cutAt }) })
        const refused = badRows === 'refuse' ? read.skipped : 0
        // What is refused is not lost.
        const counts = { ...countsOf(read), rows: read.rows - refused, skipped: read.skipped - refused }
        found.rows = counts
        found.badRows = refused
        found.loss = describeLoss(counts, cutAt ?? undefined, read.bad[0]?.message)
        if (refused > 0) problems.push(...read.bad)
        refuseLoss(counts, found.loss, maxLostRows)
        if (share !== null) heldOutCount(counts.documents, share)
      })
      return { ...found, problems }
    },
  }
}

/** Validation data of its own, read as `readRunData` does. */
function validationFiles(job: FinetuneJob | Omit<PruneJob, 'out'>): FileGroup[] {
  const { checkpoint, validation, badRows, maxLostRows } = job
  if (typeof validation !== 'string') return []
  const cutAt = job.packing === 'pack' ? null : job.sequenceLength
  const whole = { ...job, maxDocuments: undefined }
  const settings = [rowSettingsOf(whole), job.trainOn, maxLostRows, cutAt]
  return [
    {
      key: JSON.stringify(['validation', checkpoint, tokenizerStates(checkpoint), validation, settings]),
      files: [validation],
      async check(signal, onFile) {
        const model = modelOf(job)
        if (looksAtImages(model)) return checkedImages(() => checkOtherImages(job, validation, 'test', model, signal))
        const options = { ...(await loadOptions(whole, signal, onFile)), trainOn: job.trainOn, maxLostRows }
        const problems: SecateurError[] = []
        let refused = 0
        await collectProblems(problems, async () => {
          const read = await loadTrainingData([validation], {
            ...options,
            ...(cutAt === null ? {} : { maxLength: cutAt }),
          })
          if (badRows === 'skip') return
          refused += read.skipped
          problems.push(...read.bad)
        })
        return { ...nothingFound, badRows: refused, problems }
      },
    },
  ]
}

/** Calibration data of its own, read as `calibrationBatches` does. */
export function calibrationFiles(job: ReadingJob): FileGroup[] {
  if (job.kind !== 'prune' || job.calibrationData.length === 0) return []
  const { checkpoint, calibrationData: files, calibrationShares: shares, badRows } = job
  const settings = [rowSettingsOf(job), shares]
  return [
    {
      key: JSON.stringify(['calibration', checkpoint, tokenizerStates(checkpoint), files, settings]),
      files,
      async check(signal, onFile) {
        const model = modelOf(job)
        if (looksAtImages(model))
          return checkedImages(async () => {
            checkShares(shares, files.length)
            for (const file of files) await checkOtherImages(job, file, 'train', model, signal)
          })
        const options = await loadOptions(job, signal, onFile)
        const problems: SecateurError[] = []
        let refused = 0
        await collectProblems(problems, () => checkShares(shares, files.length))
        for (const file of files)
          await collectProblems(problems, async () => {
            const read = await loadTrainingData([file], { ...options, trainOn: 'every token' })
            if (badRows === 'skip') return
            refused += read.skipped
            problems.push(...read.bad)
          })
        return { ...nothingFound, badRows: refused, problems }
      },
    },
  ]
}

type RowSettings = Pick<FinetuneJob, 'checkpoint' | 'field' | 'badRows' | 'maxDocuments'>

const rowSettingsOf = ({ field, badRows, maxDocuments }: RowSettings) => [field, badRows, maxDocuments]

/** Every row is read, whether or not bad ones are refused, so that all of them can be told. */
async function loadOptions(
  { checkpoint, field, maxDocuments }: RowSettings,
  signal: AbortSignal,
  onFile: (file: string, fraction: number) => void,
): Promise<LoadOptions> {
  return {
    tokenizer: await openTokenizer(modelOf({ checkpoint })),
    badRows: 'skip',
    keepsExamples: false,
    ...(field === undefined ? {} : { field }),
    ...(maxDocuments === undefined ? {} : { limit: maxDocuments }),
    onProgress: ({ file, fraction }) => onFile(file, fraction),
    signal,
  }
}

/** Problems that do not follow from what a file holds. */
export const problemGroup = (key: string, find: () => Promise<SecateurError[]>): FileGroup => ({
  key,
  files: [],
  changes: true,
  check: async () => ({ ...nothingFound, problems: await find() }),
})

/** Task files and texts, read and encoded as scoring does, and what is written beside them. */
export function evaluationFiles(job: ReadingJob): FileGroup[] {
  if (!('evaluation' in job) || !job.evaluation) return []
  const { checkpoint, evaluation } = job
  const { tasks, perplexity, fewShotFrom, images } = evaluation
  const files = [...Object.values(tasks), ...Object.values(perplexity), ...(images === undefined ? [] : [images])]
  const beside = [...Object.values(fewShotFrom), ...Object.values(tasks).flatMap(filesBesideTask)]
  return [
    ...(evaluation.predictions === undefined && evaluation.lmEvalJson === undefined
      ? []
      : [problemGroup(JSON.stringify(['outputs', job]), () => outputProblems(job))]),
    {
      key: JSON.stringify(['evaluation', checkpoint, tokenizerStates(checkpoint), evaluation, beside.map(stateOf)]),
      files,
      async check(signal, onFile) {
        const model = modelOf(job)
        if (images !== undefined || looksAtImages(model)) {
          const problems: SecateurError[] = []
          await collectProblems(problems, async () => {
            const config = looksAtImages(model) ? await configAfter(job, model, signal) : model.config
            problems.push(...(await imageProblems(evaluation, { ...model, config }, signal)))
          })
          return { ...nothingFound, problems }
        }
        const read = { tokenizer: await openTokenizer(model), maxLength: model.config.maxPositions }
        const scored: Record<string, number> = {}
        const onTokens = (name: string, tokens: number) => void (scored[name] = tokens)
        const problems = await evaluationProblems(evaluation, read, { signal, onFile, onTokens })
        return { ...nothingFound, scored, problems }
      },
    },
  ]
}
