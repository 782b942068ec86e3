import type { Job, JobContext, ResultEvent } from '../contract/index.ts'
import { asStarted } from '../runs/as-started.ts'
import { followed } from '../runs/followed.ts'

/** Runs a job; its events go to the context, and its result is returned. Only the code of its kind is loaded. */
export async function runJob(given: Job, context: JobContext): Promise<ResultEvent> {
  const { job, kept } = asStarted(given, context)
  return await followed(job, context, async (followedContext) => {
    if (kept.length > 0)
      followedContext.emit({
        type: 'log',
        level: 'info',
        message: `what is left to defaults is as it was when another version of Secateur started the run: ${kept.join(', ')}`,
      })
    return await run(job, followedContext)
  })
}

async function run(job: Job, context: JobContext): Promise<ResultEvent> {
  switch (job.kind) {
    case 'finetune':
      return (await import('./finetune.ts')).finetune(job, context)
    case 'prune':
      return (await import('./prune.ts')).prune(job, context)
    case 'merge':
      return (await import('./merge.ts')).merge(job, context)
    case 'evaluate':
      return (await import('./evaluate.ts')).evaluate(job, context)
    case 'export':
      return (await import('./export.ts')).exportCheckpoint(job, context)
    case 'sweep':
      return (await import('./sweep.ts')).sweep(job, context)
  }
}
