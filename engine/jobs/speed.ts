import { join } from 'node:path'
import { type Choice, chooseBackend } from '../backends/choose.ts'
import type { EngineEvent, ModelSpeed, RunnerType, SpeedSettings } from '../contract/index.ts'
import { announceSizes } from '../estimate/announce.ts'
import { ownMemory } from '../estimate/memory.ts'
import { fittingPrompts, measureLatency } from '../evaluation/latency.ts'
import { type ChosenRunner, chooseRunner } from '../llama-cpp/choose.ts'
import { bytesOfFile, typeFor } from '../llama-cpp/file-for.ts'
import { ranOnBackend } from '../llama-cpp/finished-runner.ts'
import { measureOnLlamaCpp } from '../llama-cpp/measure-speed.ts'
import { cardMemory } from '../llama-cpp/memory.ts'
import { MeasureAgain, OneBuild } from '../llama-cpp/one-build.ts'
import { type Opened, shareOpened } from '../llama-cpp/open.ts'
import { openControl, orElse } from '../llama-cpp/or-else.ts'
import { ranText } from '../llama-cpp/ran-text.ts'
import { type Checkpoint, openCheckpoint } from '../models/checkpoint.ts'
import { isOfImages } from '../models/encoder-config.ts'
import { disposeModel, loadModelInSlices } from '../models/load.ts'
import { badFile } from '../shared/errors.ts'
import { sum } from '../shared/sum.ts'
import type { WorkControl } from '../shared/work-control.ts'

export interface SpeedResult {
  type: 'result'
  /** Types one after the other, and of each the checkpoints in the order in which they were given. */
  speeds: ModelSpeed[]
}

interface SpeedControl extends Partial<WorkControl> {
  signal: AbortSignal
  emit?: (event: EngineEvent) => void
}

interface Work {
  settings: SpeedSettings
  checkpoints: readonly Checkpoint[]
  /** Lengths that leave room for what is generated in each of the models. */
  lengths: readonly number[]
  /** Of llama.cpp, the same for all. */
  build: OneBuild
  computes: () => Promise<Choice>
  emit: (event: EngineEvent) => void
  signal: AbortSignal
  /** Takes which part of what one type needs is done. */
  share: (share: number) => void
}

/** Which part of the time models take to be opened, where a file has to be written and compared; the rest is measuring. */
const opening = 0.4

/** The same, as the service answers it. Progress in thousandths of the whole. */
export const measuredSpeeds = async (settings: SpeedSettings, control: WorkControl): Promise<ModelSpeed[]> =>
  (await measureSpeeds(settings, control)).speeds

/**
 * How fast a checkpoint runs, alone or beside another: prompts of several lengths and what is generated after them. On
 * llama.cpp both are loaded at once and measured turn by turn, so that other work on the computer slows both alike.
 */
export async function measureSpeeds(
  settings: SpeedSettings,
  { signal, emit = () => {}, progress = () => {} }: SpeedControl,
): Promise<SpeedResult> {
  using made = new DisposableStack()
  const paths = [...(settings.beside === undefined ? [] : [settings.beside]), settings.checkpoint]
  const checkpoints = paths.map((path) => made.use(openCheckpoint(path)))
  for (const checkpoint of checkpoints) refuseImages(checkpoint)
  const positions = Math.min(...checkpoints.map(({ config }) => config.maxPositions))
  const lengths = fittingPrompts(settings.promptTokens, positions, settings.newTokens)
  let choice: Promise<Choice> | undefined
  const computes = () => (choice ??= chooseBackend(settings))
  const build = new OneBuild({ canMeasureAgain: true })
  const work = { settings, checkpoints, lengths, build, computes, emit, signal }
  for (;;)
    try {
      const speeds = await speedsOfTypes(work, (done) => progress(Math.round(1000 * done), 1000))
      progress(1000, 1000)
      return { type: 'result', speeds }
    } catch (error) {
      if (!(error instanceof MeasureAgain)) throw error
    }
}

/** @param told hears which part is over */
async function speedsOfTypes(work: Omit<Work, 'share'>, told: (done: number) => void): Promise<ModelSpeed[]> {
  const types = work.settings.type ?? [undefined]
  const speeds: ModelSpeed[] = []
  let own: ModelSpeed[] | undefined
  for (const [at, type] of types.entries()) {
    const share = (of: number) => told((at + of) / types.length)
    share(0)
    const found = await speedsOf(type, { ...work, share }, own)
    if (found === own) continue
    // Secateur has one form of the weights, whatever type llama.cpp was to hold them in: it is measured once.
    if (found[0]!.ran.runner === 'secateur') own = found
    speeds.push(...found)
  }
  return speeds
}

function refuseImages({ folder, config }: Checkpoint): void {
  if (isOfImages(config))
    throw badFile(
      join(folder, 'config.json'),
      'model_type',
      'is a model of images, which generates no text: speed measures prompts and what is generated after them; secateur eval --images FOLDER says how many images a second it classifies',
    )
}

/** All checkpoints run on the same: a table of two programs would compare these, and not the checkpoints. */
async function speedsOf(type: RunnerType | undefined, work: Work, own?: ModelSpeed[]): Promise<ModelSpeed[]> {
  const { settings, checkpoints, computes } = work
  let chosen: ChosenRunner | undefined
  for (const checkpoint of checkpoints) {
    const one = await chooseRunner(checkpoint, { ...settings, type, computes })
    if (chosen === undefined || one.runner === 'secateur') chosen = one
  }
  return await orElse(chosen!, settings.runner, {
    onLlamaCpp: (on) => onLlamaCpp(on, type, work),
    onSecateur: async (why) => own ?? (await onSecateur(why, work)),
    begun: () => false,
  })
}

async function onLlamaCpp(
  { builds, why }: Extract<ChosenRunner, { runner: 'llama.cpp' }>,
  type: RunnerType | undefined,
  { settings, checkpoints, lengths, build, computes, emit, signal, share }: Work,
): Promise<ModelSpeed[]> {
  using made = new DisposableStack()
  const models: { checkpoint: Checkpoint; opened: Opened }[] = []
  const { newTokens, repeats } = settings
  const places = Math.max(...lengths) + newTokens
  // Threads are those of the first: what is laid side by side has as many.
  let { threads } = settings
  for (const [at, checkpoint] of checkpoints.entries()) {
    const told = openControl(emit, signal)
    const control = {
      ...told,
      progress: (...[stage, done, total]: Parameters<typeof told.progress>) => {
        told.progress(stage, done, total)
        share((opening * (at + shareOpened(stage, done, total))) / checkpoints.length)
      },
    }
    const cardBytesBeside = sum(checkpoints.slice(at + 1).map((other) => onCard(other, type, places)))
    const opened = made.use(
      await build.open(checkpoint, builds, { type, threads, places, cardBytesBeside, computes }, control),
    )
    threads = opened.ran.threads ?? undefined
    emit({ type: 'log', level: 'info', message: ranText({ ...opened.ran, why }) })
    models.push({ checkpoint, opened })
  }
  const measured = await measureOnLlamaCpp(
    models.map(({ checkpoint: { config }, opened: { model } }) => ({
      model,
      vocabularySize: config.vocabularySize,
      threads: threads!,
    })),
    { lengths, newTokens, repeats },
    {
      signal,
      onRun: (done, total) => {
        emit({ type: 'progress', stage: 'measuring speed', done, total })
        share(opening + (1 - opening) * (done / total))
      },
    },
  )
  return models.map(({ checkpoint: { folder, parameters }, opened: { model, ran } }, at) => ({
    checkpoint: folder,
    parameters,
    ran: { ...ran, why },
    weightBytes: model.bytes,
    ...measured[at]!,
  }))
}

/** Bytes that a checkpoint takes on a graphics card. */
function onCard(checkpoint: Checkpoint, asked: RunnerType | undefined, places: number): number {
  const type = typeFor(checkpoint, asked)
  const file = { bytes: bytesOfFile(checkpoint, type), type: type ?? 'gguf' }
  return cardMemory({ config: checkpoint.config, file, places })
}

async function onSecateur(
  why: string | null,
  { settings, checkpoints, lengths, computes, emit, signal, share }: Work,
): Promise<ModelSpeed[]> {
  const choice = await computes()
  const { newTokens: tokens, repeats } = settings
  const speeds: ModelSpeed[] = []
  for (const [at, checkpoint] of checkpoints.entries()) {
    announceSizes({ kind: 'generate', prompt: Math.max(...lengths), maxNewTokens: tokens }, checkpoint, emit)
    const { folder, parameters, bytes } = checkpoint
    const ran = ranOnBackend(choice, checkpoint, why)
    emit({ type: 'log', level: 'info', message: ranText(ran) })
    const told = (fraction: number) => share((at + fraction) / checkpoints.length)
    const held = await measuredOn(checkpoint, { tokens, repeats, lengths }, { emit, signal, share: told })
    speeds.push({ checkpoint: folder, parameters, ran, weightBytes: bytes, ...held })
  }
  return speeds
}

/** Loads a checkpoint and measures it. A function of its own: what a waiting one names is not collected. */
async function measuredOn(
  checkpoint: Checkpoint,
  { tokens, repeats, lengths }: { tokens: number; repeats: number; lengths: readonly number[] },
  { emit, signal, share }: Pick<Work, 'emit' | 'signal' | 'share'>,
): Promise<Pick<ModelSpeed, 'memoryBytes' | 'lengths'>> {
  const model = await loadModelInSlices(checkpoint, { signal })
  try {
    const measured = []
    for (const [index, prompt] of lengths.entries()) {
      emit({ type: 'progress', stage: 'measuring speed', done: index, total: lengths.length })
      share(index / lengths.length)
      measured.push({ prompt, ...(await measureLatency(model, { prompt, tokens, repeats, signal })) })
    }
    return { memoryBytes: ownMemory(), lengths: measured }
  } finally {
    disposeModel(model)
  }
}
