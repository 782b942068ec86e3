import type { ExportJob, JobContext, ResultEvent } from '../contract/index.ts'
import { announce } from '../estimate/announce.ts'
import { peakMemory } from '../estimate/memory.ts'
import { exportGguf } from '../export/gguf/export.ts'
import { openCheckpoint } from '../models/checkpoint.ts'
import { StageProgress } from '../runs/stage-progress.ts'

/** Writes a checkpoint in the format of another program, and says what came of it. */
export async function exportCheckpoint(job: ExportJob, { emit, signal }: JobContext): Promise<ResultEvent> {
  const started = performance.now()
  using checkpoint = openCheckpoint(job.checkpoint)
  await announce(job, checkpoint, emit)
  const writing = new StageProgress('writing', emit)
  const written = await exportGguf(job, checkpoint, {
    signal,
    progress: (done, total) => writing.report(done, total),
    say: (message) => emit({ type: 'log', level: 'info', message }),
    warn: (message) => emit({ type: 'warning', message }),
  })
  const { parameters } = checkpoint
  return {
    type: 'result',
    export: written,
    parameters: { before: parameters, after: parameters },
    ...peakMemory(),
    seconds: (performance.now() - started) / 1000,
  }
}
