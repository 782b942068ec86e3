import { statSync } from 'node:fs'
import { type DataCheck, isOfTasks, type Job, type JobContext, type ParsedServiceParams } from '../contract/index.ts'
import { leftToScore } from '../parts/left.ts'
import { StageProgress } from '../runs/stage-progress.ts'
import { collectProblems, failureOf, refuseIfAny, type SecateurError } from '../shared/errors.ts'
import type { WorkControl } from '../shared/work-control.ts'
import type { SweepRun } from '../sweeps/expand.ts'
import { runsLeft } from '../sweeps/runs-left.ts'
import { refuseSharedOutputs } from '../sweeps/shared-outputs.ts'
import { type CheckedFiles, type FileGroup, fileGroupsOf, problemGroup, stateOf } from './file-groups.ts'

/** What was found last, by what it follows from: the app asks at every change of a job, most of which touch no file. */
const remembered = new Map<string, CheckedFiles>()
const mostRemembered = 50

/**
 * Reads all data and task files of a job as the job itself will, without a model: what becomes of the rows, and why the job
 * would be refused. What was found before of the same files is not sought again. Progress in bytes.
 *
 * @param given.resume whether the job goes on in its folder: what finished runs and parts have read is left aside
 *
 * @throws SecateurError where the checkpoint's config or tokenizer cannot be read
 */
export async function checkData(
  { job, resume = false }: ParsedServiceParams<'checkData'> & Partial<Pick<JobContext, 'resume'>>,
  control: WorkControl,
): Promise<DataCheck> {
  const found = await checkGroups(groupsOf(job, resume), control)
  const training = found.find(({ rows }) => rows !== null)
  const problems = new Map(found.flatMap((files) => files.problems.map((problem) => [problem.message, problem])))
  return {
    rows: training?.rows ?? null,
    cutAt: training?.cutAt ?? null,
    loss: training?.loss ?? null,
    badRows: found.reduce((most, { badRows }) => Math.max(most, badRows), 0),
    problems: [...problems.values()].map((problem) => ({ ...failureOf(problem), kind: problem.kind })),
  }
}

/** The files of a job by what is read of them, and what its runs would write alike. */
function groupsOf(job: Job, resume: boolean): FileGroup[] {
  if (job.kind !== 'sweep') return fileGroupsOf(resume && isOfTasks(job) ? leftToScore(job).job : job)
  const runs = runsLeft(job, { resume }).left
  if (resume) return filesOfRuns(runs)
  const shared = problemGroup('shared outputs', async () => {
    const problems: SecateurError[] = []
    await collectProblems(problems, () => refuseSharedOutputs(runs))
    return problems
  })
  return [shared, ...filesOfRuns(runs)]
}

/** The files of a sweep's runs, which mostly read the same, each once. */
export function filesOfRuns(runs: readonly Pick<SweepRun, 'job'>[]): FileGroup[] {
  const groups = runs.flatMap(({ job }) => fileGroupsOf(job))
  return [...new Map(groups.map((group) => [group.key, group])).values()]
}

/**
 * Checks files that a job will read hours after its start.
 *
 * @returns tokens that a model reads of each task and text that is scored
 * @throws SecateurError with all that is wrong with them
 */
export async function refuseBadFiles(
  groups: readonly FileGroup[],
  { emit, signal }: JobContext,
): Promise<CheckedFiles['scored']> {
  const stage = new StageProgress('checking data', emit)
  const found = await checkGroups(groups, { signal, progress: (done, total) => stage.report(done, total) })
  refuseIfAny(found.flatMap((files) => files.problems))
  return Object.assign({}, ...found.map(({ scored }) => scored)) as CheckedFiles['scored']
}

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false

const sizeOf = (file: string): number => stateOf(file)?.size ?? 0
const bytesOf = ({ files }: FileGroup): number => files.reduce((sum, file) => sum + sizeOf(file), 0)

/** Checks groups one after the other. Progress in bytes. */
async function checkGroups(groups: readonly FileGroup[], control: WorkControl): Promise<CheckedFiles[]> {
  const total = groups.reduce((sum, group) => sum + bytesOf(group), 0)
  let over = 0
  const found: CheckedFiles[] = []
  for (const group of groups) {
    const key = JSON.stringify([group.key, group.files.map(stateOf)])
    // What changes in the folders of a folder does not show in it.
    const known = group.changes || group.files.some(isFolder) ? undefined : remembered.get(key)
    const fractions = new Map<string, number>()
    const onFile = (file: string, fraction: number) => {
      fractions.set(file, fraction)
      const done = [...fractions].reduce((sum, [each, part]) => sum + part * sizeOf(each), 0)
      control.progress(over + done, total)
    }
    const checked = known ?? (await group.check(control.signal, onFile))
    remembered.delete(key)
    if (!group.changes) remembered.set(key, checked)
    if (remembered.size > mostRemembered) remembered.delete(remembered.keys().next().value!)
    over += bytesOf(group)
    control.progress(over, total)
    found.push(checked)
  }
  return found
}
