import { type Choice, chooseBackend } from '../../backends/choose.ts'
import { measureSpeed } from '../../backends/speed.ts'
import {
  criterionName,
  type Estimate,
  type EvaluationSettings,
  type FinetuneJob,
  type JobEstimate,
  type Layer,
  type PruneJob,
  type SweepJob,
  type ParsedServiceParams,
} from '../../contract/index.ts'
import { detectDataset } from '../../datasets/detect.ts'
import { tokenLengths } from '../../datasets/token-lengths.ts'
import { estimateJob, refuseIfTooLarge, type SingleJob } from '../../estimate/estimate.ts'
import { forwardOperations, stepOperations } from '../../estimate/operations.ts'
import { placementOf } from '../../estimate/placement.ts'
import { scoringBytes, scoringOperations } from '../../estimate/scoring-cost.ts'
import { targetOf } from '../../jobs/prune.ts'
import { checkAdapter, readAdapter } from '../../lora/peft.ts'
import { type Checkpoint, openCheckpoint } from '../../models/checkpoint.ts'
import { layersAfter } from '../../pruning/targets.ts'
import { SecateurError } from '../../shared/errors.ts'
import type { WorkControl } from '../../shared/work-control.ts'
import { expandSweep, type SweepRun } from '../../sweeps/expand.ts'

/** Bytes of text in a token, where nothing better is known. */
const bytesPerToken = 4
/** Rows whose lengths stand for all rows of a data file. */
const sampledRows = 100

/** What a job leaves, needs and takes on this computer. Errors are those that would refuse the job itself. */
export const estimate = ({ job }: ParsedServiceParams<'estimate'>, context: WorkControl): Promise<JobEstimate> =>
  job.kind === 'sweep' ? estimateSweep(job, context) : estimateOne(job, context)

async function estimateOne(job: SingleJob, context: WorkControl): Promise<JobEstimate> {
  using checkpoint = openCheckpoint(job.checkpoint)
  if ('adapter' in job && job.adapter !== undefined) checkAdapter(readAdapter(job.adapter), checkpoint.config)
  const target = job.kind === 'prune' ? targetOf(job, checkpoint) : undefined
  const choice = job.kind === 'merge' ? null : await chooseBackend(job)
  const placement = placementOf(job, checkpoint)
  const known = estimateJob(job, checkpoint, { target, placement })
  const layers = target ? layersAfter(checkpoint.config, target) : checkpoint.config.layers
  const secondsPerPass = placement?.secondsPerPass ?? 0
  const time = await timeOf(job, checkpoint, layers, choice && { ...choice, secondsPerPass }, context)
  const warnings =
    job.kind === 'prune' && job.ranking === 'global'
      ? ['Layers are ranked together: how many groups each one loses is known only afterwards.']
      : []
  return { ...known, layersAfter: layers, ...time, ...fitOf(known, warnings) }
}

/** The runs of a sweep together: the time of all, and the memory of as many as run at once. */
async function estimateSweep(job: SweepJob, context: WorkControl): Promise<JobEstimate> {
  const expanded = expandSweep(job)
  // Seeds change nothing of what a run needs.
  const alike = new Map<string, JobEstimate>()
  const runs: JobEstimate[] = []
  for (const run of expanded) {
    context.signal.throwIfAborted()
    const key = JSON.stringify({ ...run.job, seed: 0 })
    const known = alike.get(key) ?? (await estimateRun(run, job.out, context))
    alike.set(key, known)
    runs.push(known)
    context.progress(runs.length, expanded.length)
  }
  using checkpoint = openCheckpoint(job.checkpoint)
  const sum = (of: (run: JobEstimate) => number) => runs.reduce((total, run) => total + of(run), 0)
  const most = (of: (run: JobEstimate) => number) => Math.max(...runs.map(of))
  const known: Estimate = {
    ...runs[0]!,
    parameters: { before: checkpoint.parameters, after: most(({ parameters }) => parameters.after) },
    diskBytes: job.keepCheckpoints
      ? sum(({ diskBytes }) => diskBytes)
      : most(({ diskBytes }) => diskBytes) * job.parallel,
    memoryBytes: most(({ memoryBytes }) => memoryBytes) * Math.min(job.parallel, runs.length),
  }
  const seconds = runs.map((run) => run.seconds ?? 0)
  return {
    ...known,
    layersAfter: checkpoint.config.layers,
    // Runs side by side share the machine: together they are no faster.
    seconds: sum((run) => run.seconds ?? 0),
    scoring: runs[0]!.scoring,
    sweep: {
      runs: runs.length,
      parameters: { least: Math.min(...runs.map((run) => run.parameters.after)), most: known.parameters.after },
      seconds: { least: Math.min(...seconds), most: Math.max(...seconds) },
    },
    secondsFrom: `For ${runs.length} runs. ${runs[0]!.secondsFrom}`,
    ...fitOf(known, [...new Set(runs.flatMap(({ warnings }) => warnings))]),
  }
}

/** @throws SecateurError that says in which run something is wrong. */
async function estimateRun({ job, name }: SweepRun, out: string, context: WorkControl): Promise<JobEstimate> {
  try {
    return await estimateOne({ ...job, out }, context)
  } catch (error) {
    if (!(error instanceof SecateurError)) throw error
    const { kind, message, file, field } = error
    const place = [file, field].filter((part) => part !== undefined).join(': ')
    const plain = place && message.startsWith(`${place}: `) ? message.slice(place.length + 2) : message
    throw new SecateurError(kind, `${plain} (in the run ${name})`, { file, field, cause: error })
  }
}

type Time = Pick<JobEstimate, 'seconds' | 'secondsFrom' | 'scoring'>

/** Part of the speed of bare products that a step or a forward pass reaches: measured on models of width 288 and 768. */
const efficiency = 0.6
/** Seconds that a layer costs in every step beside its arithmetic, and that a job takes to start. */
const secondsPerLayer = 0.01
const startSeconds = 3
/** Bytes a second at which weights are read, merged and written. */
const diskSpeed = 200e6

async function timeOf(
  job: SingleJob,
  checkpoint: Checkpoint,
  layers: Layer[],
  choice: (Choice & { secondsPerPass: number }) | null,
  context: WorkControl,
): Promise<Time> {
  const { config, bytes } = checkpoint
  const moved = (job.kind === 'merge' || job.kind === 'prune' ? 2 * bytes : bytes) / diskSpeed
  if (job.kind === 'merge' || !choice)
    return { seconds: startSeconds + moved, secondsFrom: 'From the size of the checkpoint.', scoring: null }

  const after = { ...config, layers }
  const evaluation = 'evaluation' in job ? job.evaluation : undefined
  const scored = evaluation ? await scoredTokens(evaluation, context) : 0
  const window = evaluation?.window ?? 0
  let operations = scored * forwardOperations(after, window)
  if (job.kind === 'prune' && job.evaluateDense) operations += scored * forwardOperations(config, window)
  let steps = 0
  let passes = evaluation ? scored / evaluation.batchTokens : 0
  let guessed = scored > 0
  if (job.kind !== 'evaluate') {
    // What is removed at once and not healed is not trained.
    const isTrained = job.kind === 'finetune' || job.healing || job.schedule === 'iterative'
    steps = isTrained ? (job.steps ?? (await stepsOf(job, context))) : 0
    guessed ||= isTrained && job.steps === undefined
    operations += steps * stepOperations(job, config)
    passes += steps * job.gradientAccumulation * 2
    if (job.kind === 'prune') operations += scoringOperations(job, config, steps, job.ratio)
  }
  const gigaflops = await measureSpeed(choice.name, choice, () => chooseBackend({ ...job, device: choice.name }))
  const secondsOf = (count: number) => count / (gigaflops * 1e9 * efficiency)
  const scoring = job.kind === 'prune' ? scoringCosts(job, checkpoint, steps, secondsOf) : null
  return {
    scoring,
    seconds:
      startSeconds +
      moved +
      secondsOf(operations) +
      steps * config.layers.length * secondsPerLayer +
      passes * choice.secondsPerPass,
    secondsFrom:
      `From ${(operations / 1e12).toPrecision(2)} trillion operations at ${Math.round(gigaflops * efficiency)} billion a ` +
      `second, ${Math.round(100 * efficiency)} % of the measured speed of ${choice.device}.` +
      (guessed ? ' How many tokens there are is told from the first rows of the data.' : ''),
  }
}

/** What scoring would cost by each criterion, all else being as the job says. */
function scoringCosts(
  job: PruneJob,
  { config }: Checkpoint,
  steps: number,
  secondsOf: (operations: number) => number,
): NonNullable<JobEstimate['scoring']> {
  const costs = criterionName.options.map((criterion) => {
    const other = { ...job, criterion }
    const seconds = secondsOf(scoringOperations(other, config, steps, job.ratio))
    return [criterion, { memoryBytes: scoringBytes(other, config), seconds }]
  })
  return Object.fromEntries(costs) as NonNullable<JobEstimate['scoring']>
}

/** Optimiser steps of a job that says how many passes through its data it makes. */
async function stepsOf(job: FinetuneJob | PruneJob, context: WorkControl): Promise<number> {
  let tokens = 0
  for (const path of job.data) tokens += await tokensOf(path, job, context)
  return Math.max(1, Math.ceil((job.epochs * tokens) / (job.batchSize * job.sequenceLength * job.gradientAccumulation)))
}

async function tokensOf(
  path: string,
  { checkpoint, field, trainOn, maxDocuments }: FinetuneJob | PruneJob,
  context: WorkControl,
): Promise<number> {
  const { kind, rows, bytes } = await detectDataset({ path }, context)
  const read = Math.min(rows ?? Infinity, maxDocuments ?? Infinity)
  if (read === Infinity) return bytes / bytesPerToken
  const quiet = { ...context, progress: () => {} }
  const { tokens, examples, complete } = await tokenLengths(
    { path, kind, field, checkpoint, trainOn, sample: Math.min(read, sampledRows) },
    quiet,
  )
  return complete ? tokens : (tokens / examples) * read
}

/** About how many tokens an evaluation reads: the bytes of its files, or of the part of them that is scored. */
async function scoredTokens(settings: EvaluationSettings, context: WorkControl): Promise<number> {
  let tokens = 0
  for (const path of Object.values(settings.tasks)) {
    const { rows, bytes } = await detectDataset({ path }, context)
    const share = settings.limit === undefined || rows === null ? 1 : Math.min(1, settings.limit / rows)
    tokens += (share * (1 + settings.fewShot) * bytes) / bytesPerToken
  }
  for (const path of Object.values(settings.perplexity)) {
    const { bytes } = await detectDataset({ path }, context)
    tokens += Math.min((settings.maxWindows ?? Infinity) * settings.window, bytes / bytesPerToken)
  }
  return tokens
}

/** Whether the job is refused for its size, and what a person should know before starting it. */
function fitOf(known: Estimate, warnings: readonly string[]): Pick<JobEstimate, 'fits' | 'warnings'> {
  try {
    refuseIfTooLarge(known)
  } catch (error) {
    if (!(error instanceof SecateurError)) throw error
    return { fits: false, warnings: [error.message, ...warnings] }
  }
  const tight: string[] = []
  if (known.memoryBytes > 0.8 * known.freeMemoryBytes)
    tight.push(
      'Memory will be tight: other programs may be pushed out of it. Fewer rows or a shorter length need less.',
    )
  if (known.diskBytes > 0.8 * known.freeDiskBytes) tight.push('The disk will be almost full.')
  return { fits: true, warnings: [...tight, ...warnings] }
}
