import { existsSync, readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { RunFile, RunInputs, ScoresFile } from '../contract/index.ts'
import { badFile, SecateurError } from '../shared/errors.ts'
import { type InputReader, readBy, settingOf } from './inputs.ts'
import { neverStarted, readScores, resultIn, runFiles, runIn } from './run-files.ts'

/**
 * What a run would mix is refused: it goes on with the files that it has used so far, or not at all. Of a run that has used
 * nothing yet, and of task files and texts that are not scored yet, it does not matter what they were; what could not be read,
 * then or now, is for the job to tell of.
 *
 * @param now fingerprints of what the job reads today
 * @param remedy what can be done beside putting back what was there
 * @throws SecateurError that names the file and the setting
 */
export function refuseChanged(path: string, { job, inputs }: RunFile, now: RunInputs, remedy = another): void {
  if (!inputs || neverStarted(path)) return
  const scores = readScores(path)
  for (const { setting, path: place } of readBy(job)) {
    const [then, today] = [inputs[setting], now[setting]]
    if (!then || !today || !isUsed(setting, scores)) continue
    const name = Object.keys({ ...then, ...today }).find((each) => then[each] !== today[each])
    if (name === undefined) continue
    const isFolder = statSync(place, { throwIfNoEntry: false })?.isDirectory() ?? false
    const file = name === '' ? place : join(isFolder ? place : dirname(place), name)
    throw badFile(
      file,
      settingOf(setting),
      `${changeOf(then[name], today[name], name)} when the run in ${path} was started: what is done already would be mixed with what is not. Put back what it was, or ${remedy}`,
    )
  }
}

const changeOf = (then: string | undefined, now: string | undefined, name: string): string =>
  now === undefined
    ? 'is not there any more, and was'
    : then === undefined
      ? 'has come since, and was not there'
      : name === ''
        ? 'holds other files, or others of the same name, than'
        : 'holds something else than'

const another = 'start a new run in another folder'

/** Whether a run has used what a setting of its evaluation names; everything else it has as soon as it is begun. */
function isUsed(setting: string, { dense, result }: ScoresFile): boolean {
  const [, kind, name = ''] = /^evaluation\.(\w+)\.?(.*)$/s.exec(setting) ?? []
  const isIn = (of: 'tasks' | 'perplexity') =>
    [dense, result].some((scores) => scores && Object.hasOwn(scores[of], name))
  switch (kind) {
    case undefined:
      return true
    case 'tasks':
    case 'fewShotFrom':
      return isIn('tasks')
    case 'perplexity':
      return isIn('perplexity')
    default:
      return Boolean(dense?.classification ?? result?.classification)
  }
}

/**
 * The same of the tasks of a sweep or of an evaluation in parts that is resumed: those that are over are not done again, and
 * must have read what the others will.
 *
 * @param path folder of the whole
 * @throws SecateurError that names the file and the setting
 */
export async function refuseChangedTasks(path: string, reader: InputReader): Promise<void> {
  for (const folder of taskFolders(path)) {
    const run = runIn(folder)
    if (!run?.inputs || !isKept(folder, run)) continue
    refuseChanged(folder, run, await reader.read(run.job), 'remove that folder, so that the run is done again')
  }
}

/** Whether what a task has done stays: an evaluation that was stopped is begun anew, and what is damaged is told of later. */
function isKept(folder: string, { job }: RunFile): boolean {
  try {
    readScores(folder)
    return job.kind !== 'evaluate' || resultIn(folder) !== null
  } catch (error) {
    if (error instanceof SecateurError) return false
    throw error
  }
}

/** Run folders in the folder of a whole: its tasks lie there, or one folder below. */
const taskFolders = (path: string): string[] =>
  foldersIn(path).flatMap((folder) => (isRun(folder) ? folder : foldersIn(folder).filter(isRun)))

const isRun = (folder: string): boolean => existsSync(join(folder, runFiles.run))

function foldersIn(folder: string): string[] {
  if (!existsSync(folder)) return []
  const entries = readdirSync(folder, { withFileTypes: true })
  return entries.flatMap((entry) => (entry.isDirectory() ? join(folder, entry.name) : []))
}
