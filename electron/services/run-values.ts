import { type Job, saidOf, type Scores } from '../../engine/contract/index.ts'
import { runSchema, type RunSummary } from '../contract/index.ts'
import type { RunRow, RunValue } from '../database/runs.ts'

/** What is no setting to compare runs by: where they write, and what kind they are. */
const left = new Set(['out', 'kind'])

/** Every setting that a job goes by, by name, nested ones as `evaluation.mode`. */
export function settingsOf(job: Job): Record<string, RunValue> {
  const found: Record<string, RunValue> = {}
  const visit = (value: unknown, name: string): void => {
    if (value === undefined) return
    if (value === null || typeof value === 'string' || typeof value === 'number') found[name] = value
    else if (typeof value === 'boolean') found[name] = value ? 'yes' : 'no'
    else if (Array.isArray(value)) found[name] = value.map((part) => textOf(part)).join(', ')
    else for (const [key, part] of Object.entries(value)) visit(part, `${name}.${key}`)
  }
  for (const [name, value] of Object.entries(saidOf(job))) if (!left.has(name)) visit(value, name)
  return found
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))

/** What a run came to; null where it has not, and where an earlier version wrote it in another way. */
export function resultOf({ result }: Pick<RunRow, 'result'>): RunSummary['result'] {
  return result === null ? null : (runSchema.shape.result.safeParse(JSON.parse(result)).data ?? null)
}

/** Every number of a result by name: `loss`, `boolq.acc`, `perplexity.wikitext2`, `images.top1`, `dense.boolq.acc`. */
export function metricsOf(result: NonNullable<RunSummary['result']>): Record<string, RunValue> {
  const found: Record<string, RunValue> = {}
  const put = (name: string, value: number | null | undefined) => {
    if (value !== undefined && value !== null) found[name] = value
  }
  put('loss', result.loss)
  put('validationLoss', result.validation?.best?.loss ?? result.validation?.last)
  put('peakMemoryBytes', result.peakMemoryBytes)
  put('exportedBytes', result.export?.bytes)
  put('bitsPerWeight', result.export?.bitsPerWeight)
  put('proofWorst', result.export?.proof?.worst)
  put('proofMean', result.export?.proof?.mean)
  if (result.parameters) {
    put('parametersBefore', result.parameters.before)
    put('parametersAfter', result.parameters.after)
    put('parametersKept', result.parameters.after / result.parameters.before)
  }
  const putScores = (prefix: string, scores: Scores | null | undefined) => {
    for (const [task, score] of Object.entries(scores?.tasks ?? {})) {
      put(`${prefix}${task}.acc`, score.acc)
      put(`${prefix}${task}.accNorm`, score.accNorm)
    }
    put(`${prefix}meanAccuracy`, meanAccuracy(scores))
    for (const [name, { value }] of Object.entries(scores?.perplexity ?? {})) put(`${prefix}perplexity.${name}`, value)
    put(`${prefix}images.top1`, scores?.classification?.top1)
    put(`${prefix}images.top5`, scores?.classification?.top5)
    put(`${prefix}images.perSecond`, scores?.classification?.imagesPerSecond)
    put(`${prefix}promptTokensPerSecond`, scores?.latency?.promptTokensPerSecond)
    put(`${prefix}generatedTokensPerSecond`, scores?.latency?.generatedTokensPerSecond)
  }
  putScores('', result.scores)
  putScores('dense.', result.denseScores)
  return found
}

/** Mean over the tasks that were scored; undefined where there are none. */
function meanAccuracy(scores: Scores | null | undefined): number | undefined {
  const all = Object.values(scores?.tasks ?? {})
  return all.length > 0 ? all.reduce((sum, { acc }) => sum + acc, 0) / all.length : undefined
}
