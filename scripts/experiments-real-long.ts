import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { evaluateSchema, type ResultEvent, type SweepJob } from '../engine/contract/index.ts'
import { runInChild } from '../engine/runs/child-run.ts'
import { markdownTable } from '../engine/sweeps/table.ts'
import { expandSweep } from '../engine/sweeps/expand.ts'
import { metricsOf, summaryRows } from '../engine/sweeps/summary.ts'
import { resultIn } from '../engine/runs/run-files.ts'
import { denseFolderOf, runFolderOf } from '../engine/sweeps/sweep-folder.ts'

/** Tokens of a window: what the model has read before a token counts for more than at the sweep's own length. */
const window = 1024

/**
 * Measures the perplexity of a sweep's runs and of its checkpoint once more, in longer windows. What an earlier attempt has
 * measured stays.
 *
 * @param windows of each text
 * @returns the table of it, as Markdown
 */
export async function scoreLongWindows(sweep: SweepJob, windows: number, signal: AbortSignal): Promise<string> {
  const measure = (checkpoint: string, folder: string, settings: object, threads?: number) =>
    measureIn(
      checkpoint,
      join(folder, `windows-${window}`),
      { ...settings, tasks: {}, window, maxWindows: windows },
      threads,
      signal,
    )
  const results = []
  let dense = null
  for (const { name, varied, job } of expandSweep(sweep)) {
    const folder = runFolderOf(sweep.out, name)
    const output = join(folder, 'output')
    if (!existsSync(output)) continue
    dense ??= metricsOf(await measure(sweep.checkpoint, denseFolderOf(sweep.out), job.evaluation!, job.threads), null)
    const result = await measure(output, folder, job.evaluation!, job.threads)
    results.push({ name, varied, metrics: perplexities(metricsOf(result, null)) })
  }
  return `${markdownTable(summaryRows(results), dense && perplexities(dense))}\n`
}

async function measureIn(
  checkpoint: string,
  out: string,
  evaluation: object,
  threads: number | undefined,
  signal: AbortSignal,
): Promise<ResultEvent> {
  const earlier = resultIn(out)
  if (earlier) return earlier
  const job = evaluateSchema.parse({ kind: 'evaluate', checkpoint, out, threads, evaluation })
  return await runInChild({ job, resume: false }, signal, () => {})
}

const perplexities = (metrics: Record<string, number>) =>
  Object.fromEntries(Object.entries(metrics).filter(([column]) => column.startsWith('perplexity ')))
