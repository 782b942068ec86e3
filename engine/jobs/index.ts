import type { Job, JobContext, ResultEvent } from '../contract/index.ts'
import { evaluate } from './evaluate.ts'
import { exportCheckpoint } from './export.ts'
import { finetune } from './finetune.ts'
import { merge } from './merge.ts'
import { prune } from './prune.ts'
import { sweep } from './sweep.ts'

/** Runs a job; its events go to the context, and its result is returned. */
export function runJob(job: Job, context: JobContext): Promise<ResultEvent> {
  switch (job.kind) {
    case 'finetune':
      return finetune(job, context)
    case 'prune':
      return prune(job, context)
    case 'merge':
      return merge(job, context)
    case 'evaluate':
      return evaluate(job, context)
    case 'export':
      return exportCheckpoint(job, context)
    case 'sweep':
      return sweep(job, context)
  }
}
