// The files that an evaluation writes where its settings say, beside what a run folder keeps: where they may lie.
import { accessSync, constants, existsSync, lstatSync, readdirSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { type EvaluateJob, type EvaluationSettings, type Job, pathsOfJob } from '../contract/index.ts'
import { taskOfSamples } from '../evaluation/lm-eval/samples.ts'
import { filesBesideTask } from '../evaluation/files-beside.ts'
import { isWithin } from '../shared/allowed-folders.ts'
import { badFile, badSetting, collectProblems, type SecateurError } from '../shared/errors.ts'
import { refuseExistingFile } from '../shared/files.ts'
import { refuseSpecial } from '../shared/open-file.ts'
import { jobIn, runFiles } from './run-files.ts'
import { lockName } from './run-lock.ts'

/** A job that may be scored in the end; what it reads is told by its kind. */
type EvaluatingJob = Pick<Job, 'kind'> & { out?: string | undefined } & Partial<Pick<EvaluateJob, 'evaluation'>>

type Outputs = Pick<EvaluationSettings, 'predictions' | 'lmEvalJson'>

/** First names of what a run keeps in its folder. */
const ownNames = new Set([
  ...Object.values(runFiles).map((name) => name.split(sep)[0]!),
  lockName,
  'output',
  'layer-times.json',
  'self-data.jsonl',
  'self-data.json',
  'cluster',
])

/**
 * Why the files that an evaluation is to write could not be written, or would take something away: its folder is not there,
 * something lies there already, or the job itself reads it or keeps something there. Hours may lie between this and the writing.
 */
export async function outputProblems(job: EvaluatingJob): Promise<SecateurError[]> {
  const problems: SecateurError[] = []
  const { predictions, lmEvalJson } = job.evaluation ?? {}
  const replaces = replacedBy(job)
  const check = (setting: string, path: string) =>
    collectProblems(problems, () => checkOutput(setting, path, job, replaces))
  if (predictions !== undefined) await check('predictions', predictions)
  if (lmEvalJson !== undefined) await check('lm-eval-json', lmEvalJson)
  if (predictions === undefined || lmEvalJson === undefined || problems.length > 0) return problems
  const [rows, results] = [placeOf(predictions), placeOf(lmEvalJson)]
  await collectProblems(problems, () => {
    if (rows === results)
      throw badSetting('lm-eval-json', `${lmEvalJson} is the file of the predictions too: name another one`)
    if (dirname(rows) === dirname(results) && isSamplesOf(job.evaluation!, results, basename(rows)))
      throw badSetting('predictions', `${predictions} takes the rows of --lm-eval-json: name another file`)
    for (const name of existsSync(dirname(results)) ? readdirSync(dirname(results)) : [])
      if (isSamplesOf(job.evaluation!, results, name)) {
        const samples = join(dirname(resolve(lmEvalJson)), name)
        if (!replaces(samples)) refuseExistingFile(samples)
      }
  })
  return problems
}

/** @throws SecateurError as `outputProblems` finds them, the first one */
export async function refuseBadOutputs(job: EvaluatingJob): Promise<void> {
  const [first] = await outputProblems(job)
  if (first) throw first
}

/**
 * Tells which files may be replaced: those that an earlier attempt at the run in the job's folder was to write too, and what
 * lies in this folder. It is told before the run begins, since then the folder tells of this attempt.
 */
export function replacedBy({ out }: Pick<EvaluatingJob, 'out'>): (path: string) => boolean {
  if (out === undefined) return () => false
  const folder = placeOf(out)
  const earlier = jobIn(out)
  const { predictions, lmEvalJson }: Outputs = (earlier && 'evaluation' in earlier && earlier.evaluation) || {}
  const written = new Set([predictions, lmEvalJson].flatMap((path) => (path === undefined ? [] : [placeOf(path)])))
  const results = predictions === undefined || lmEvalJson === undefined ? null : placeOf(lmEvalJson)
  return (path) => {
    const place = placeOf(path)
    if (isWithin(place, [folder]) || written.has(place)) return true
    if (results === null || dirname(place) !== dirname(results)) return false
    return taskOfSamples(results, basename(place)) !== null
  }
}

/** Whether a file beside the results would be that of the single rows of a task that is scored; MMLU has one for each subject. */
function isSamplesOf({ tasks }: EvaluationSettings, results: string, name: string): boolean {
  const task = taskOfSamples(results, name)
  return task !== null && (Object.hasOwn(tasks, task) || (Object.hasOwn(tasks, 'mmlu') && task.startsWith('mmlu_')))
}

function checkOutput(setting: string, path: string, job: EvaluatingJob, replaces: (path: string) => boolean): void {
  const folder = dirname(resolve(path))
  // The run makes its own folder.
  const isMade = job.out !== undefined && placeOf(folder) === placeOf(job.out) && !existsSync(job.out)
  if (!isMade && !isWritableFolder(folder))
    throw badSetting(setting, `${folder} is no folder that this user may write to`)
  refuseSpecial(path)
  const place = placeOf(path)
  for (const { read, what } of inputsOf(job)) {
    if (!isWithin(place, [placeOf(read)])) continue
    throw badSetting(setting, `${path} belongs to ${what} (${read}), which this job reads: name a file elsewhere`)
  }
  if (job.out !== undefined) refuseOwn(setting, path, place, job.out)
  // What a link leads to is not replaced, and the link itself is not what was meant.
  if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink())
    throw badFile(path, undefined, `is a link to ${place}; name the file that is to be written`)
  if (!replaces(path)) refuseExistingFile(path)
}

function refuseOwn(setting: string, path: string, place: string, out: string): void {
  const folder = placeOf(out)
  if (!isWithin(place, [folder])) return
  const [first] = relative(folder, place).split(sep)
  if (first === '') throw badSetting(setting, `${path} is the folder of the run: name a file`)
  if (ownNames.has(first!))
    throw badSetting(setting, `${path} is where the run in ${out} keeps something of its own: name another file`)
}

function isWritableFolder(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK)
    return statSync(folder).isDirectory()
  } catch {
    return false
  }
}

/** Where a path leads, links followed as far as there is something. */
function placeOf(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    const absolute = resolve(path)
    const folder = dirname(absolute)
    return folder === absolute ? absolute : join(placeOf(folder), basename(absolute))
  }
}

interface Input {
  read: string
  what: string
}

/** Settings that name what a job reads, in words; those below a point have the name of a task or a text after it. */
const inWords: Readonly<Record<string, string>> = {
  checkpoint: 'the checkpoint',
  adapter: 'the adapter',
  compareWith: 'the checkpoint to compare with',
  teacher: 'the teacher',
  data: 'the training data',
  validation: 'the validation data',
  calibrationData: 'the calibration data',
  'evaluation.images': 'the images',
  'evaluation.tasks.': 'the task ',
  'evaluation.fewShotFrom.': 'the examples of ',
  'evaluation.perplexity.': 'the text ',
}

function wordsOf(field: string): string {
  const named = /^evaluation\.(?:tasks|fewShotFrom|perplexity)\./.exec(field)?.[0]
  return named === undefined ? (inWords[field] ?? field) : `${inWords[named]}${field.slice(named.length)}`
}

/** What a job reads, in words, and what is read beside its task files. */
const inputsOf = (job: EvaluatingJob): Input[] =>
  pathsOfJob(job).flatMap(({ field, path, use }) => {
    if (use !== 'read' || field.startsWith('cluster.')) return []
    const beside = field.startsWith('evaluation.tasks.') ? filesBesideTask(path) : []
    return [path, ...beside].map((read) => ({ read, what: wordsOf(field) }))
  })
