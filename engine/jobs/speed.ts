import { median } from 'simple-statistics'
import { type Choice, chooseBackend } from '../backends/choose.ts'
import type { EngineEvent, Ran, RunnerType } from '../contract/index.ts'
import { announceSizes } from '../estimate/announce.ts'
import { ownMemory } from '../estimate/memory.ts'
import { measureLatency } from '../evaluation/latency.ts'
import { type ChosenRunner, chooseRunner } from '../llama-cpp/choose.ts'
import { type Opened, openOnLlamaCpp } from '../llama-cpp/open.ts'
import { openControl, orElse } from '../llama-cpp/or-else.ts'
import { ranText } from '../llama-cpp/ran-text.ts'
import { type Checkpoint, openCheckpoint } from '../models/checkpoint.ts'
import { disposeModel, loadModelInSlices } from '../models/load.ts'
import { Random } from '../shared/random.ts'
import type { SpeedSettings } from './settings.ts'

export interface SpeedResult {
  type: 'result'
  /** Types one after the other, and of each the checkpoints in the order in which they were given. */
  speeds: ModelSpeed[]
}

export interface ModelSpeed {
  checkpoint: string
  parameters: number
  ran: Ran
  /** Of the weights as they are held. */
  weightBytes: number
  /** That the process holds which runs the model. */
  memoryBytes: number
  /** Tokens a second, by the length of the prompt. */
  lengths: { prompt: number; promptTokensPerSecond: number; generatedTokensPerSecond: number }[]
}

interface Work {
  settings: SpeedSettings
  checkpoints: readonly Checkpoint[]
  /** Lengths that leave room for what is generated in each of the models. */
  lengths: readonly number[]
  computes: () => Promise<Choice>
  emit: (event: EngineEvent) => void
  signal: AbortSignal
}

/**
 * How fast a checkpoint runs, alone or beside another: prompts of several lengths and what is generated after them. On
 * llama.cpp both are loaded at once and measured turn by turn, so that other work on the computer slows both alike.
 */
export async function measureSpeeds(
  settings: SpeedSettings,
  signal: AbortSignal,
  emit: (event: EngineEvent) => void = () => {},
): Promise<SpeedResult> {
  using made = new DisposableStack()
  const paths = [...(settings.beside === undefined ? [] : [settings.beside]), settings.checkpoint]
  const checkpoints = paths.map((path) => made.use(openCheckpoint(path)))
  const positions = Math.min(...checkpoints.map(({ config }) => config.maxPositions))
  const fitting = settings.promptTokens.map((length) => Math.max(1, Math.min(length, positions - settings.newTokens)))
  let choice: Promise<Choice> | undefined
  const computes = () => (choice ??= chooseBackend(settings))
  const work = { settings, checkpoints, lengths: [...new Set(fitting)], computes, emit, signal }
  const speeds: ModelSpeed[] = []
  const measured = new Set<string>()
  for (const type of settings.type ?? [undefined]) {
    for (const speed of await speedsOf(type, work)) {
      // Secateur has one form of the weights, whatever type llama.cpp was to hold them in.
      const key = JSON.stringify([speed.checkpoint, speed.ran.runner, speed.ran.type])
      if (!measured.has(key)) speeds.push(speed)
      measured.add(key)
    }
  }
  return { type: 'result', speeds }
}

/** All checkpoints run on the same: a table of two programs would compare these, and not the checkpoints. */
async function speedsOf(type: RunnerType | undefined, work: Work): Promise<ModelSpeed[]> {
  const { settings, checkpoints, computes } = work
  let chosen: ChosenRunner | undefined
  for (const checkpoint of checkpoints) {
    const one = await chooseRunner(checkpoint, { ...settings, type, computes })
    if (chosen === undefined || one.runner === 'secateur') chosen = one
  }
  return await orElse(chosen!, settings.runner, {
    onLlamaCpp: (on) => onLlamaCpp(on, type, work),
    onSecateur: (why) => onSecateur(why, work),
    begun: () => false,
  })
}

async function onLlamaCpp(
  { llama, why }: Extract<ChosenRunner, { runner: 'llama.cpp' }>,
  type: RunnerType | undefined,
  { settings, checkpoints, lengths, computes, emit, signal }: Work,
): Promise<ModelSpeed[]> {
  using made = new DisposableStack()
  const models: { checkpoint: Checkpoint; opened: Opened; speed: ModelSpeed }[] = []
  const places = Math.max(...lengths) + settings.newTokens
  // Threads are those of the first: what is laid side by side has as many.
  let { threads } = settings
  for (const checkpoint of checkpoints) {
    const control = openControl(emit, signal)
    const opened = made.use(await openOnLlamaCpp(checkpoint, llama, { type, threads, places, computes }, control))
    threads = opened.ran.threads ?? undefined
    const ran = { ...opened.ran, why }
    emit({ type: 'log', level: 'info', message: ranText(ran) })
    const { folder, parameters } = checkpoint
    const speed = { checkpoint: folder, parameters, ran, weightBytes: opened.model.bytes, memoryBytes: 0, lengths: [] }
    models.push({ checkpoint, opened, speed })
  }
  const total = lengths.length * (settings.repeats + 1)
  for (const [index, prompt] of lengths.entries()) {
    const runs: { prompt: number; generated: number }[][] = models.map(() => [])
    // The first warms up.
    for (let run = 0; run <= settings.repeats; run++) {
      emit({ type: 'progress', stage: 'measuring speed', done: index * (settings.repeats + 1) + run, total })
      for (const [at, { checkpoint, opened, speed }] of models.entries()) {
        const ids = idsOf(prompt, checkpoint.config.vocabularySize)
        const written = await opened.model.write(
          { ...plainly, prompt: ids, tokens: settings.newTokens, threads: threads! },
          { signal },
        )
        signal.throwIfAborted()
        speed.memoryBytes = Math.max(speed.memoryBytes, written.heldBytes)
        // The first new token comes out of the prompt.
        const generated = (written.tokens - 1) / written.generationSeconds
        if (run > 0) runs[at]!.push({ prompt: prompt / written.promptSeconds, generated })
      }
    }
    for (const [at, { speed }] of models.entries())
      speed.lengths.push({
        prompt,
        promptTokensPerSecond: median(runs[at]!.map((run) => run.prompt)),
        generatedTokensPerSecond: median(runs[at]!.map((run) => run.generated)),
      })
  }
  return models.map(({ speed }) => speed)
}

/** Greedily, to the last token that is asked for. */
const plainly = { temperature: 0, topP: 1, topK: 0, seed: 0, stop: [], quiet: true }

/** Random ids: speed does not depend on them. */
function idsOf(length: number, vocabulary: number): number[] {
  const random = new Random(0)
  return Array.from({ length }, () => random.integer(vocabulary))
}

async function onSecateur(
  why: string | null,
  { settings, checkpoints, lengths, computes, emit, signal }: Work,
): Promise<ModelSpeed[]> {
  const { name, device, threads } = await computes()
  const { newTokens: tokens, repeats } = settings
  const speeds: ModelSpeed[] = []
  for (const checkpoint of checkpoints) {
    announceSizes({ kind: 'generate', prompt: Math.max(...lengths), maxNewTokens: tokens }, checkpoint, emit)
    const { folder, parameters, dtype, bytes } = checkpoint
    const ran = {
      runner: 'secateur' as const,
      name: `Secateur (${name})`,
      type: dtype,
      device,
      threads,
      why,
      proof: null,
    }
    emit({ type: 'log', level: 'info', message: ranText(ran) })
    const model = await loadModelInSlices(checkpoint, { signal })
    try {
      const measured = []
      for (const [index, prompt] of lengths.entries()) {
        emit({ type: 'progress', stage: 'measuring speed', done: index, total: lengths.length })
        measured.push({ prompt, ...(await measureLatency(model, { prompt, tokens, repeats, signal })) })
      }
      const held = { weightBytes: bytes, memoryBytes: ownMemory() }
      speeds.push({ checkpoint: folder, parameters, ran, ...held, lengths: measured })
    } finally {
      disposeModel(model)
    }
  }
  return speeds
}
