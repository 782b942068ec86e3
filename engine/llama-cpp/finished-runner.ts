import type { Choice } from '../backends/choose.ts'
import type { EvaluationSettings, JobContext, Ran, RunnerType } from '../contract/index.ts'
import { usualLatency } from '../evaluation/latency.ts'
import type { Checkpoint } from '../models/checkpoint.ts'
import type { FinishedAnswers, FinishedRunner, FinishedWork } from '../runs/speed-and-examples.ts'
import { type ChosenRunner, chooseRunner } from './choose.ts'
import { measureOnLlamaCpp } from './measure-speed.ts'
import { greedily } from './messages.ts'
import { OneBuild } from './one-build.ts'
import { openControl, orElse } from './or-else.ts'
import { ranText } from './ran-text.ts'

interface Machine {
  device: string
  threads?: number | undefined
}

/**
 * Refuses, before anything is computed, what llama.cpp is to run and cannot.
 *
 * @throws SecateurError with the reason
 */
export async function refuseUnrunnable(
  {
    evaluation,
    device,
    adapter,
  }: Pick<Machine, 'device'> & { evaluation?: EvaluationSettings | undefined; adapter?: string | undefined },
  checkpoint: Checkpoint,
  choice: Choice,
): Promise<void> {
  if (evaluation?.runner !== 'llama.cpp' || (!evaluation.latency && evaluation.prompts.length === 0)) return
  const { runner, runnerType: type } = evaluation
  await chooseRunner(checkpoint, { runner, type, device, adapter: adapter !== undefined, computes: async () => choice })
}

/**
 * Runs finished checkpoints on llama.cpp for a run whose back end was chosen. All of them run on the build that the first one
 * ran on: their speeds are laid side by side.
 *
 * @param choice the back end, which is current
 */
export function finishedRunner({ device, threads }: Machine, choice: Choice): FinishedRunner {
  const computes = async () => choice
  const build = new OneBuild({ canMeasureAgain: false })
  return {
    own: (checkpoint, why) => ranOnBackend(choice, checkpoint, why),
    run: async (checkpoint, { runner, runnerType: type }, { work, adapter, begins }, context) => {
      const chosen = await chooseRunner(checkpoint, { runner, type, device, adapter, computes })
      return await orElse<FinishedAnswers | { why: string | null }>(chosen, runner, {
        onLlamaCpp: (on) => {
          begins()
          return onLlamaCpp(on, checkpoint, { build, type, threads, work, computes }, context)
        },
        onSecateur: async (why) => {
          if (why !== null)
            context.emit({ type: 'log', level: 'info', message: ranText(ranOnBackend(choice, checkpoint, why)) })
          return { why }
        },
        begun: () => false,
      })
    },
  }
}

/** What the back end of a run is where it runs a checkpoint itself. */
export const ranOnBackend = (
  { name, device, threads }: Choice,
  { dtype }: Pick<Checkpoint, 'dtype'>,
  why: string | null,
): Ran => ({ runner: 'secateur', name: `Secateur (${name})`, type: dtype, device, threads, why, proof: null })

interface Settings {
  build: OneBuild
  type: RunnerType | undefined
  threads: number | undefined
  work: FinishedWork
  computes: () => Promise<Choice>
}

async function onLlamaCpp(
  { builds, why }: Extract<ChosenRunner, { runner: 'llama.cpp' }>,
  checkpoint: Checkpoint,
  { build, type, threads: wanted, work, computes }: Settings,
  { emit, signal }: JobContext,
): Promise<FinishedAnswers> {
  const { maxPositions, vocabularySize } = checkpoint.config
  const { prompt: _, tokens: newTokens, repeats } = usualLatency
  const room = (prompt: readonly number[]) => Math.min(work.maxNewTokens, maxPositions - prompt.length)
  const places = Math.max(
    0,
    ...work.lengths.map((length) => length + newTokens),
    ...work.prompts.map((prompt) => prompt.length + room(prompt)),
  )
  // The run's own estimate stands.
  const control = { ...openControl(emit, signal), estimated: () => {} }
  using opened = await build.open(checkpoint, builds, { type, threads: wanted, places, computes }, control)
  const ran = { ...opened.ran, why }
  const { model } = opened
  const threads = ran.threads!
  emit({ type: 'log', level: 'info', message: ranText(ran) })
  const [measured] = await measureOnLlamaCpp(
    [{ model, vocabularySize, threads }],
    { lengths: work.lengths, newTokens, repeats },
    { signal, onRun: (done, total) => emit({ type: 'progress', stage: 'measuring speed', done, total }) },
  )
  const written: number[][] = []
  for (const [done, prompt] of work.prompts.entries()) {
    emit({ type: 'progress', stage: 'generating samples', done, total: work.prompts.length })
    const ids: number[] = []
    await model.write(
      { ...greedily, prompt: [...prompt], tokens: room(prompt), threads, stop: [...work.stop] },
      { signal, onToken: ({ id }) => void ids.push(id) },
    )
    signal.throwIfAborted()
    written.push(ids)
  }
  return { ran, speeds: measured!.lengths.map(({ prompt: __, ...speed }) => speed), written }
}
