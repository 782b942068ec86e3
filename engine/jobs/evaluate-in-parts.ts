import { mkdirSync } from 'node:fs'
import type { EngineEvent, EvaluateJob, JobContext, ResultEvent } from '../contract/index.ts'
import { announceParts } from '../estimate/announce.ts'
import { refuseBadFiles } from '../estimate/check-data.ts'
import { evaluationFiles } from '../estimate/file-groups.ts'
import { checkKindOfEvaluation } from '../evaluation/check-images.ts'
import { checkAdapter } from '../lora/peft.ts'
import { readAdapter } from '../lora/read-peft.ts'
import { openCheckpoint } from '../models/checkpoint.ts'
import { joinParts } from '../parts/join.ts'
import { isDone } from '../parts/part-results.ts'
import { type Part, splitEvaluation, workOfParts } from '../parts/split.ts'
import type { RunnerListener, RunnerTask } from '../runners/runner.ts'
import { runnerOf } from '../runners/runner-of.ts'
import { TasksProgress } from '../runners/tasks-progress.ts'
import { refuseBadOutputs, replacedBy } from '../runs/output-files.ts'
import { inRunFolder } from '../runs/run-folder.ts'
import { badSetting, SecateurError } from '../shared/errors.ts'

/**
 * An evaluation whose tasks, texts and so on are each scored by a process of its own, here or on a cluster, and joined into
 * what one process would have written. A part that is over is not done again where the evaluation is resumed.
 */
export async function evaluateInParts(job: EvaluateJob, context: JobContext): Promise<ResultEvent> {
  const { out, cluster, parallel } = job
  if (out === undefined)
    throw badSetting('out', 'name a folder: the parts lie in it, and their scores are joined there')
  const whole = { ...job, out }
  const parts = splitEvaluation(whole, out)
  if (parts.length === 0)
    throw badSetting(
      'task',
      'name something to score: tasks, texts, images, speed or prompts are what parts are made of',
    )
  // What another workstation has begun goes on here with a copy of its own.
  if (context.resume && cluster?.via !== undefined) mkdirSync(out, { recursive: true })
  await refuseBadOutputs(whole)
  const replaces = replacedBy(whole)
  return await inRunFolder(whole, context, async (folder) => {
    const missing = parts.filter((part) => !isDone(part))
    const atOnce = cluster ? (cluster.parallel ?? parts.length) : (parallel ?? 1)
    // Over ssh the files lie on the cluster, and Secateur there checks them.
    const needsNothing = missing.length === 0 || cluster?.via !== undefined
    const { told, sizes } = needsNothing ? unprepared : await prepare(whole, missing, atOnce, context)
    context.emit({ type: 'phase', phase: 'scoring' })
    const findings = new PartFindings(whole, parts, { sizes, atOnce }, context)
    const work = workOfParts(whole, parts, { folder: folder.path, resume: context.resume })
    await runnerOf(cluster).work(work, findings, context.signal)
    findings.refuseFailed()
    return joinParts(whole, parts, folder, context, { told, replaces })
  })
}

/** What is known before parts begin. */
interface Prepared {
  /** Warnings that have been told. */
  told: ReadonlySet<string>
  /** How much there is to score of tasks and texts, by their names. */
  sizes: Readonly<Record<string, number>>
}
const unprepared: Prepared = { told: new Set(), sizes: {} }

/**
 * Refuses what one process would refuse before anything is begun or submitted, and makes the folders of parts.
 *
 * @param atOnce parts that are at work at a time
 */
async function prepare(
  job: EvaluateJob,
  missing: readonly Part[],
  atOnce: number,
  context: JobContext,
): Promise<Prepared> {
  const told = new Set<string>()
  const emit = (event: EngineEvent) => {
    if (event.type === 'warning') told.add(event.message)
    context.emit(event)
  }
  const sizes = await check(job, Math.min(atOnce, missing.length), { ...context, emit })
  // Parts refuse to write where there is no folder.
  for (const { job: part } of missing) mkdirSync(part.out, { recursive: true })
  return { told, sizes }
}

async function check(job: EvaluateJob, atOnce: number, context: JobContext): Promise<Prepared['sizes']> {
  using checkpoint = openCheckpoint(job.checkpoint, job.imageSize)
  if (job.compareWith !== undefined) openCheckpoint(job.compareWith, job.imageSize)[Symbol.dispose]()
  if (job.adapter !== undefined) checkAdapter(readAdapter(job.adapter), checkpoint.config)
  checkKindOfEvaluation(job.evaluation, checkpoint)
  await announceParts(job, checkpoint, atOnce, context.emit)
  return await refuseBadFiles(evaluationFiles(job), context)
}

/** What the parts come to while they run. */
class PartFindings implements RunnerListener {
  readonly #job: EvaluateJob
  readonly #parts: number
  readonly #emit: JobContext['emit']
  readonly #progress: TasksProgress
  readonly #failures: { name: string; error: SecateurError }[] = []
  #hasStarted = false

  /** @param facts.sizes how much there is to score of a task or text, by its name */
  constructor(
    job: EvaluateJob,
    parts: readonly Part[],
    { sizes, atOnce }: { sizes: Readonly<Record<string, number>>; atOnce: number },
    { emit }: JobContext,
  ) {
    this.#job = job
    this.#parts = parts.length
    this.#emit = emit
    this.#progress = new TasksProgress({ sizes: sizesOf(parts, sizes), parallel: atOnce }, (state) =>
      emit({
        type: 'progress',
        stage: 'scoring',
        done: state.over + state.underWay,
        total: state.all,
        ...(state.secondsLeft === null ? {} : { secondsLeft: state.secondsLeft }),
      }),
    )
  }

  handedOver(): void {
    this.#progress.wait()
  }

  began({ name }: RunnerTask): void {
    this.#progress.begin(name)
  }

  heard({ name }: RunnerTask, event: EngineEvent): void {
    if (event.type === 'started' && !this.#hasStarted) {
      this.#hasStarted = true
      this.#emit({ ...event, job: this.#job })
    }
    this.#progress.hear(name, event)
  }

  ended({ name }: RunnerTask, _result: ResultEvent, isWhole: boolean): void {
    this.#progress.end(name, isWhole)
  }

  failed({ name }: RunnerTask, error: SecateurError): void {
    this.#failures.push({ name, error })
    this.note(`${name}: ${error.message}`, 'error')
    this.#progress.end(name, false)
  }

  note(message: string, level: 'info' | 'warning' | 'error'): void {
    this.#emit({ type: 'log', level, message })
  }

  /** @throws SecateurError where parts could not be done: what is not whole is not joined */
  refuseFailed(): void {
    const [first] = this.#failures
    if (!first) return
    const words = this.#failures.map(({ name, error }) => `${name}: ${error.message}`)
    const rest = this.#parts - words.length
    throw new SecateurError(
      first.error.kind,
      `${words.length} of ${this.#parts} parts could not be done, and nothing is joined. ${words.join('. ')}. ` +
        `${rest > 0 ? `The other ${rest} are kept. ` : ''}Mend what is wrong, and say --resume`,
      { cause: first.error },
    )
  }
}

/** How long parts take beside one another; what no size is known of takes as long as the smallest. */
function sizesOf(parts: readonly Part[], known: Readonly<Record<string, number>>): Map<string, number> {
  const sizes = parts.map(({ scores }) => known['name' in scores ? scores.name : scores.kind] ?? 0)
  const least = Math.min(...sizes.filter((size) => size > 0))
  return new Map(parts.map(({ name }, at) => [name, sizes[at]! > 0 ? sizes[at]! : Number.isFinite(least) ? least : 1]))
}
