import { existsSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { z } from 'zod'
import { isOfTasks, type JobOfTasks } from '../contract/index.ts'
import { splitEvaluation, workOfParts } from '../parts/split.ts'
import { readRunFile, runFiles } from '../runs/run-files.ts'
import { badSetting, failureOf, SecateurError } from '../shared/errors.ts'
import { parseAs, parseJson } from '../shared/files.ts'
import { version } from '../shared/version.ts'
import { expandSweep } from '../sweeps/expand.ts'
import { cancelOnCluster } from '../runners/slurm/cancel.ts'
import { readQueueFile, readSubmissions, taskIdsOf } from '../runners/slurm/cluster-folder.ts'
import { clusterHere } from '../runners/slurm/here.ts'
import { watch } from '../runners/slurm/watch.ts'
import { FrameWriter } from '../runners/ssh/frames.ts'
import { type RelayMessage, requestSchema } from '../runners/ssh/messages.ts'
import { Outbox } from '../runners/ssh/outbox.ts'
import { Requests } from '../runners/ssh/requests.ts'
import { keyOf, placeOf, type RunnerListener, type RunnerWork, tasksOf } from '../runners/runner.ts'
import { settle } from '../sweeps/sweep-folder.ts'
import { workOf } from '../sweeps/sweep-work.ts'
import { runJob } from './index.ts'

type Request = z.output<typeof requestSchema>
type Asked<Ask extends Request['ask']> = Extract<Request, { ask: Ask }>

/** Milliseconds between two looks at the files of tasks that are followed. */
const period = 2000

/**
 * Serves a workstation that has this computer, a login node, at the other end of ssh: submits tasks, tells how they stand
 * and sends what is new of them, cancels, estimates. Takes no lock and holds nothing: a connection may break at any time.
 * Resolves when nobody is there any more.
 */
export async function relaySweeps(
  input: NodeJS.ReadableStream,
  frames: FrameWriter,
  stopped: AbortSignal,
): Promise<void> {
  using requests = new Requests(input, stopped)
  await frames.greet(version)
  for (let line = await requests.next(); line !== null; line = await requests.next())
    await answer(line, frames, requests.gone)
}

async function answer(line: string, frames: FrameWriter, signal: AbortSignal): Promise<void> {
  try {
    const request = parseAs(requestSchema, parseJson(line, 'the request'), 'the request')
    await frames.send({ type: 'done', text: await perform(request, frames, signal) })
  } catch (error) {
    await frames.send({ type: 'refused', error: failureOf(error) })
  }
}

async function perform(request: Request, frames: FrameWriter, signal: AbortSignal): Promise<string | null> {
  const note = (message: string) => void frames.send({ type: 'note', level: 'info', message })
  switch (request.ask) {
    case 'submit':
      return await submit(request, frames)
    case 'follow':
      return await follow(request, frames, signal)
    case 'cancel':
      return await cancelOnCluster(request.folder, note, signal)
    case 'estimate':
      return await estimate(request, frames, signal)
    case 'cluster':
      await frames.send({ type: 'cluster', report: await clusterHere() })
      return null
  }
}

/** Submits what is missing. Once begun it is brought to its end: half an answer of sbatch would be worth nothing. */
async function submit({ job, resume }: Asked<'submit'>, frames: FrameWriter): Promise<null> {
  const { out } = job
  if (out === undefined) throw badSetting('out', 'the job names no folder')
  if (!job.cluster || job.cluster.via !== undefined || job.cluster.watch)
    throw badSetting('cluster', 'is not that of a job which is handed over')
  const goesOn = resume && existsSync(join(out, runFiles.run))
  try {
    await runJob(job, {
      emit: (event) => {
        if (event.type === 'log') void frames.send({ type: 'note', level: event.level, message: event.message })
      },
      signal: new AbortController().signal,
      resume: goesOn,
    })
  } catch (error) {
    const isHandedOver = error instanceof SecateurError && error.kind === 'interrupted'
    if (!isHandedOver) throw error
  }
  await frames.send({ type: 'submissions', submissions: readSubmissions(out)?.submissions ?? [] })
  return null
}

/** Watches tasks, and sends what the workstation does not have, until all its tasks have ended or failed. */
async function follow({ folder, held, fetchOutputs }: Asked<'follow'>, frames: FrameWriter, signal: AbortSignal) {
  const whole = wholeIn(folder)
  const known = readSubmissions(folder)
  if (!known) throw badSetting('remote', `what is in ${folder} was never on a cluster`)
  const work = workIn(folder, whole)
  const ids = taskIdsOf(known)
  const open = new Map(tasksOf(work).map((task) => [keyOf(task), placeOf(work, task)]))
  const outbox = new Outbox(folder, { places: [...open.values()], held, fetchOutputs }, frames)
  const told: RelayMessage[] = []
  const listener: RunnerListener = {
    handedOver: () => {},
    heard: () => {},
    note: (message, level) => void told.push({ type: 'note', level, message }),
    began: (task) => void told.push({ type: 'began', name: keyOf(task) }),
    ended: (task, result, isWhole) => {
      if (whole.kind === 'sweep') settle(task, result, whole)
      told.push({ type: 'ended', name: keyOf(task), isWhole })
    },
    failed: (task, error) => void told.push({ type: 'failed', name: keyOf(task), error: failureOf(error) }),
  }
  await frames.send({ type: 'submissions', submissions: known.submissions })
  let isOver = false
  const watched = watch(work, known, listener, signal).finally(() => (isOver = true))
  // It is waited for below.
  watched.catch(() => {})
  let queue: unknown
  for (;;) {
    const wasOver = isOver
    const messages = told.splice(0)
    const over = new Set(messages.flatMap((one) => (one.type === 'ended' || one.type === 'failed' ? [one.name] : [])))
    for (const [key, place] of open) {
      signal.throwIfAborted()
      await outbox.send({ key, place, id: ids.get(key), isOver: over.has(key) })
      if (over.has(key)) open.delete(key)
    }
    const now = readQueueFile(folder)
    if (now && !isDeepStrictEqual(now, queue)) await frames.send({ type: 'queue', queue: now })
    queue = now
    for (const message of messages) await frames.send(message)
    if (wasOver && told.length === 0) break
    if (!wasOver) await Promise.race([setTimeout(period, undefined, { signal }), watched.catch(() => {})])
  }
  await watched
  return null
}

function wholeIn(folder: string): JobOfTasks {
  const { job } = readRunFile(folder)
  if (!isOfTasks(job)) throw badSetting('remote', `${folder} holds ${job.kind}, which is not made of tasks`)
  return job
}

/** What there was to do in a folder. */
function workIn(folder: string, whole: JobOfTasks): RunnerWork {
  const goesOn = { folder, resume: true }
  if (whole.kind === 'sweep') return workOf(whole, goesOn, expandSweep(whole), () => {})
  const job = { ...whole, out: folder }
  return workOfParts(job, splitEvaluation(job, folder), goesOn)
}

/** What the job would need on this computer, and what its files hold. */
async function estimate({ job, resume }: Asked<'estimate'>, frames: FrameWriter, signal: AbortSignal): Promise<null> {
  const { estimateAnyJob } = await import('../estimate/any-job.ts')
  const { checkData } = await import('../estimate/check-data.ts')
  const control = { signal, progress: () => {} }
  const known = await estimateAnyJob({ job, resume }, control)
  await frames.send({ type: 'estimated', estimate: known, data: await checkData({ job, resume }, control) })
  return null
}
