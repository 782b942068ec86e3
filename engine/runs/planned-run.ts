import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { z } from 'zod'
import { toFloat32 } from '../checkpoint/dtype.ts'
import { SafetensorsFile } from '../checkpoint/safetensors.ts'
import { criteria, type PruneJob, type QualityPoint } from '../contract/index.ts'
import { mean } from '../evaluation/statistics.ts'
import { openCheckpoint } from '../models/checkpoint.ts'
import { kinds } from '../models/family.ts'
import { keptImportance, onOneScale } from '../pruning/budget/importance.ts'
import { fullMasks, type GroupMasks } from '../pruning/groups.ts'
import type { TargetModel } from '../pruning/job-target.ts'
import { KeptScores } from '../pruning/kept-scores.ts'
import type { LayerScores } from '../pruning/scores.ts'
import { badFile, badSetting, SecateurError } from '../shared/errors.ts'
import { fileStamp } from '../shared/file-stamp.ts'
import { parseJsonOrNull } from '../shared/files.ts'
import { readLines } from '../shared/read-lines.ts'
import type { RestoredValues } from '../shared/saved-values.ts'
import { longestLine } from './journal.ts'
import { readRunFile, runFiles } from './run-files.ts'
import { stepOf } from './state-file.ts'

/** A run with what its state keeps of scores: all that a budget is planned from. */
export interface PlannedRun {
  job: PruneJob
  model: TargetModel
  /** The step of the saved state. */
  step: number
  scores: LayerScores[]
  quality: { of: 'validation' | 'training'; points: QualityPoint[] }
}

/** The run that was planned with last: a slider asks for it again and again. */
let last: { key: string; run: PlannedRun } | null = null

/** @throws SecateurError where the folder holds no run whose scores are kept */
export async function openPlannedRun(path: string, signal?: AbortSignal): Promise<PlannedRun> {
  const { job } = readRunFile(path)
  if (job.kind !== 'prune')
    throw badSetting('run', `${path} holds a ${job.kind} run: budgets are planned from prunings`)
  const { removes, comparable = false } = criteria[job.criterion]
  if (removes !== 'groups')
    throw badSetting(
      'run',
      `the run in ${path} removes ${removes} by ${job.criterion}: there are no scores of heads and channels`,
    )
  const file = join(path, runFiles.state)
  if (!existsSync(file))
    throw badFile(
      path,
      runFiles.state,
      'is missing: the run saved no state, which has the scores that budgets are planned from',
    )
  const key = JSON.stringify([path, ...fileStamp(statSync(file)), job.checkpoint])
  if (last?.key === key) return last.run
  using checkpoint = openDense(path, job)
  const { config, dtype, parameters } = checkpoint
  const { step, scores, chosen, masks } = readScores(file, path, fullMasks(config, job.headGroups))
  const importance = onOneScale(config, scores, { headGroups: job.headGroups, comparable })
  const quality = await qualityOf(join(path, runFiles.metrics), { importance, chosen, masks }, signal)
  const run = { job, model: { config, dtype, parameters }, step, scores, quality }
  last = { key, run }
  return run
}

/** @throws SecateurError that names the run's own file, where the checkpoint is not what it was */
function openDense(path: string, { checkpoint, imageSize }: PruneJob) {
  try {
    return openCheckpoint(checkpoint, imageSize)
  } catch (error) {
    if (!(error instanceof SecateurError)) throw error
    throw badFile(
      join(path, runFiles.run),
      'job.checkpoint',
      `names a checkpoint that cannot be opened: ${error.message}`,
      error,
    )
  }
}

/** Of the state's tensors the scores alone are read: the adapter and its moments are large. */
function readScores(file: string, folder: string, whole: GroupMasks) {
  using opened = new SafetensorsFile(file)
  const step = stepOf(opened)
  const saved = valuesIn(opened, folder)
  const kept = KeptScores.read(saved, whole)
  if (kept === null)
    throw badFile(
      file,
      undefined,
      'has no scores of groups that left: either nothing was removed yet, or a version before budgets wrote it; prune again to plan from it',
    )
  const masks = whole.map(({ heads, channels }, layer) => ({
    heads: Uint8Array.from(saved.value(`mask.${layer}.heads`, heads.length)),
    channels: Uint8Array.from(saved.value(`mask.${layer}.channels`, channels.length)),
  }))
  for (const [layer, ofLayer] of kept.scores.entries())
    for (const kind of kinds)
      if (!ofLayer[kind].every(Number.isFinite))
        throw badFile(file, `score.${layer}.${kind}`, 'holds a value that is not a number: the saved state is damaged')
  return { step, masks, ...kept }
}

/** Values of a saved state, each read when it is asked for and has the size that is expected. */
const valuesIn = (file: SafetensorsFile, folder: string): RestoredValues => ({
  has: (name) => file.tensors.has(name),
  value(name, numbers) {
    const entry = file.tensors.get(name)
    if (entry?.dtype === 'F32' && entry.end - entry.begin === 4 * numbers) return toFloat32(file.read(name))
    throw badFile(
      folder,
      `state: ${name}`,
      `${entry ? `does not have ${numbers} numbers` : 'is missing'}: the saved state is of another run or damaged`,
    )
  },
})

const lineSchema = z.object({
  step: z.int(),
  loss: z.number().nullable(),
  validationLoss: z.number().nullable().optional(),
})

/** Steps whose training loss is taken together: one is noisy. */
const mostTogether = 20

/**
 * The loss between any two selections, late in between, beside the importance that was gone by then: that on held-out rows
 * where it was measured often enough, and otherwise the mean training loss of the last steps.
 */
async function qualityOf(
  metrics: string,
  { importance, chosen, masks }: { importance: LayerScores[]; chosen: LayerScores[]; masks: GroupMasks },
  signal?: AbortSignal,
): Promise<PlannedRun['quality']> {
  const left = new Set<number>()
  for (const [layer, mask] of masks.entries())
    for (const kind of kinds)
      for (const [group, stays] of mask[kind].entries()) if (stays === 0) left.add(chosen[layer]![kind][group]!)
  const selections = [...left].toSorted((one, other) => one - other)
  const lostAfter = (step: number) =>
    1 -
    keptImportance(
      importance,
      masks.map((mask, layer) => {
        const then = (kind: 'heads' | 'channels') =>
          mask[kind].map((stays, group) => (stays === 1 || chosen[layer]![kind][group]! > step ? 1 : 0))
        return { heads: then('heads'), channels: then('channels') }
      }),
    )
  const spans = [-1, ...selections].map((from, i) => ({
    to: selections[i] ?? Infinity,
    lost: from < 0 ? 0 : lostAfter(from),
  }))
  const seen = spans.map(() => ({ step: 0, training: [] as number[], validation: null as QualityPoint | null }))
  let span = 0
  let lines = 0
  for (const { text } of existsSync(metrics) ? readLines(metrics, longestLine) : []) {
    if (++lines % 1000 === 0) {
      await setImmediate()
      signal?.throwIfAborted()
    }
    const { data } = lineSchema.safeParse(parseJsonOrNull(text))
    if (data === undefined) continue
    // Groups leave after the step that is named, whose own loss was still with them.
    while (data.step > spans[span]!.to) span++
    const at = seen[span]!
    at.step = data.step
    if (data.loss !== null) at.training = [...at.training.slice(1 - mostTogether), data.loss]
    if (typeof data.validationLoss === 'number')
      at.validation = { step: data.step, lost: spans[span]!.lost, loss: data.validationLoss }
  }
  const validation = seen.flatMap((at) => at.validation ?? [])
  if (validation.length >= Math.min(3, spans.length)) return { of: 'validation', points: validation }
  const training = seen.flatMap(({ step, training: losses }, i) =>
    losses.length === 0 ? [] : [{ step, lost: spans[i]!.lost, loss: mean(losses) }],
  )
  return { of: 'training', points: training }
}
