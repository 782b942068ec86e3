import { basename, relative, sep } from 'node:path'
import type { EngineEvent, EvaluateJob, PruneJob, ResultEvent, SweepJob } from '../contract/index.ts'
import type { SecateurError } from '../shared/errors.ts'

/** A run of a sweep, the scoring of its dense checkpoint, or a part of an evaluation, with the folder that it is written to. */
export interface RunnerTask {
  /** Names it in messages. */
  name: string
  job: (PruneJob | EvaluateJob) & { out: string }
  /** Folder of an evaluation of the dense checkpoint that a run takes its dense scores from. */
  dense?: string
}

/** Tasks that may be done side by side. */
export interface RunnerStage {
  tasks: readonly RunnerTask[]
  /** Whether a cluster begins them only once the stages before are over; this computer does one stage after the other. */
  waits: boolean
  /** Whether nothing after it is worth doing where one of its tasks fails on this computer. */
  isNeeded: boolean
}

/** What there is to do for a sweep, or for an evaluation in parts. */
export interface RunnerWork {
  /** All of it as one job, which a cluster that is reached over ssh is handed. */
  job: SweepJob | (EvaluateJob & { out: string })
  /** Folder of the whole, which the folders of its tasks lie in. */
  folder: string
  /** Whether it goes on with what an earlier attempt has left. */
  resume: boolean
  /** Tasks at a time on this computer. */
  parallel: number
  stages: readonly RunnerStage[]
  /** Whether all that is done with the result of a task, once it is over, has been done. */
  isSettled(task: RunnerTask, result: ResultEvent): boolean
}

/** All tasks, in the order of their stages. */
export const tasksOf = ({ stages }: Pick<RunnerWork, 'stages'>): RunnerTask[] => stages.flatMap(({ tasks }) => tasks)

/** What names a task in files and in the queue of a cluster: that of its folder. */
export const keyOf = ({ job }: RunnerTask): string => basename(job.out)

/** Folder of a task in that of the whole, with slashes. */
export const placeOf = ({ folder }: Pick<RunnerWork, 'folder'>, { job }: RunnerTask): string =>
  relative(folder, job.out).split(sep).join('/')

/** What a runner tells while it works. */
export interface RunnerListener {
  /** What there is to do has been handed over, and nothing of it may begin for long. */
  handedOver(): void
  /** A task has begun, or is looked at for the first time where it is over already. */
  began(task: RunnerTask): void
  /** What the process of a task said, where the runner hears it. */
  heard(task: RunnerTask, event: EngineEvent): void
  /** @param isWhole false for a task that was over, or half done, before the runner came to it: its time is not that of one */
  ended(task: RunnerTask, result: ResultEvent, isWhole: boolean): void
  /** A task cannot be done; the others go on. */
  failed(task: RunnerTask, error: SecateurError): void
  note(message: string, level: 'info' | 'warning' | 'error'): void
}

/**
 * Where tasks are done: in processes of this computer, by the scheduler of a cluster, or by that of one which is reached
 * over ssh.
 */
export interface Runner {
  /**
   * Does what is not done yet, and resolves once every task has ended or failed. A task whose folder holds a result is not
   * done again; one that was stopped goes on from its saved state, and from its start where it saves none.
   *
   * @throws SecateurError of kind `interrupted` where the signal stopped it, and what else concerns the work as a whole
   */
  work(work: RunnerWork, listener: RunnerListener, signal: AbortSignal): Promise<void>
}
