import type { EngineEvent, EvaluateJob, PruneJob, ResultEvent, SweepJob } from '../../contract/index.ts'
import type { SecateurError } from '../../shared/errors.ts'

/** A run of a sweep, or the scoring of its dense checkpoint, with the folder that it is written to. */
export interface SweepTask {
  /** Names its folder, and it in messages. */
  name: string
  job: (PruneJob | EvaluateJob) & { out: string }
}

/** What there is to do for a sweep. */
export interface SweepWork {
  sweep: SweepJob
  /** Folder of the sweep. */
  folder: string
  /** Whether it goes on with what an earlier attempt has left. */
  resume: boolean
  /** Scores the checkpoint itself, which runs with `evaluateDense` take their dense scores from; null where it is not wanted. */
  dense: SweepTask | null
  runs: readonly SweepTask[]
}

/** All tasks of a sweep, the dense checkpoint's first. */
export const tasksOf = ({ dense, runs }: SweepWork): SweepTask[] => [...(dense ? [dense] : []), ...runs]

/** What a runner tells while it works. */
export interface SweepListener {
  /** What there is to do has been handed over, and nothing of it may begin for long. */
  handedOver(): void
  /** A task has begun, or is looked at for the first time where it is over already. */
  began(task: SweepTask): void
  /** What the process of a task said, where the runner hears it. */
  heard(task: SweepTask, event: EngineEvent): void
  /** @param isWhole false for a task that was over, or half done, before the runner came to it: its time is not that of one */
  ended(task: SweepTask, result: ResultEvent, isWhole: boolean): void
  /** A task cannot be done; the others go on. */
  failed(task: SweepTask, error: SecateurError): void
  note(message: string, level: 'info' | 'warning' | 'error'): void
}

/**
 * Where the runs of a sweep are done: in processes of this computer, by the scheduler of a cluster, or by that of one which
 * is reached over ssh.
 */
export interface SweepRunner {
  /**
   * Does what is not done yet, and resolves once every task has ended or failed. A task whose folder holds a result is not
   * done again; one that was stopped goes on from its saved state.
   *
   * @throws SecateurError of kind `interrupted` where the signal stopped it, and what else concerns the sweep as a whole
   */
  work(work: SweepWork, listener: SweepListener, signal: AbortSignal): Promise<void>
}
