import type { Estimate, Ran, RunnerType } from '../contract/index.ts'
import { freeDisk } from '../estimate/estimate.ts'
import { exportMemory, proofMemory } from '../export/size.ts'
import type { Checkpoint } from '../models/checkpoint.ts'
import { availableMemory } from '../shared/available-memory.ts'
import { refusalOf, SecateurError } from '../shared/errors.ts'
import { bytesOfFile, exportJob, fileFor, type RunFile, typeFor, typeOfFile } from './file-for.ts'
import { type LlamaCpp, nameOf } from './installed.ts'
import { keptFolder, lastKnown } from './kept-files.ts'
import { cardMemory, llamaCppMemory, memoryBesideCard, requireLlamaCppMemory } from './memory.ts'
import type { LlamaCppModel } from './model.ts'
import type { OpenControl } from './open-control.ts'
import { comparisonFits, proven } from './proven.ts'
import { deviceText, passedText, startBuild } from './start.ts'
import { threadsFor } from './threads.ts'

export interface OpenSettings {
  type?: RunnerType | undefined
  threads?: number | undefined
  /** Tokens of a prompt and of its answer that there must be room for. */
  places: number
  /** Bytes that graphics cards must have free beside it, for models that are opened after it. */
  cardBytesBeside?: number
  /** Builds that were passed over before, each with why. */
  passed?: readonly string[]
  /** Makes a back end current, where the proof needs one. */
  computes: () => Promise<unknown>
}

/** Which part of the way to a loaded model ends with each stage: what is there already takes no time. */
const stages = { 'reading weights': [0, 0.1], writing: [0.1, 0.6], proving: [0.6, 1] } as const

/** Which part of opening a model is over. */
export function shareOpened(stage: keyof typeof stages, done: number, total: number): number {
  const [from, to] = stages[stage]
  return from + (total > 0 ? (to - from) * (done / total) : 0)
}

export interface Opened extends Disposable {
  model: LlamaCppModel
  /** The build that runs it. */
  llama: LlamaCpp
  ran: Omit<Ran, 'why'>
}

/** What is the same on every build. */
interface Opening {
  checkpoint: Checkpoint
  type: RunnerType | undefined
  settings: OpenSettings
  control: OpenControl
  /** Writes the file where there is none. */
  file: () => Promise<RunFile>
}

/**
 * Loads a checkpoint on the first build of llama.cpp that can run it: as a file of the type that is asked for, which is written
 * once and kept, or the GGUF file that it is. What it computes is compared with what Secateur does, once for each file and device.
 *
 * @param builds in the order in which they are tried
 * @throws SecateurError where it does not fit, llama.cpp cannot load it, or computes something else: on the last build, or with
 *   the reasons of all where the last one is for graphics cards
 */
export async function openOnLlamaCpp(
  checkpoint: Checkpoint,
  builds: readonly LlamaCpp[],
  settings: OpenSettings,
  control: OpenControl,
): Promise<Opened> {
  const type = typeFor(checkpoint, settings.type)
  let written: Promise<RunFile> | undefined
  const file = () => (written ??= fileFor(checkpoint, type, settings.threads, control))
  const passed = [...(settings.passed ?? [])]
  for (const llama of builds) {
    try {
      const { ran, ...opened } = await openedOn(llama, { checkpoint, type, settings, control, file })
      return { ...opened, ran: { ...ran, ...(passed.length > 0 && { passed }) } }
    } catch (caught) {
      const error = refusalOf(caught)
      if (llama.build === 'processor') throw error
      passed.push(passedText(llama, error))
    }
  }
  throw new SecateurError('unsupported', `no llama.cpp for graphics cards can run it here (${passed.join('; ')})`)
}

async function openedOn(llama: LlamaCpp, { checkpoint, type, settings, control, file }: Opening): Promise<Opened> {
  const { signal } = control
  const bytes = bytesOfFile(checkpoint, type)
  const needs = { config: checkpoint.config, file: { bytes, type: type ?? 'gguf' }, places: settings.places }
  using made = new DisposableStack()
  const model = made.use(await startBuild(llama, cardMemory(needs) + (settings.cardBytesBeside ?? 0), { signal }))
  const isOnCard = llama.build !== 'processor'
  const held = isOnCard ? memoryBesideCard(needs, model.on.unified) : llamaCppMemory(needs)
  const device = deviceText(model.on.cards)
  const proofOf = isOnCard ? `${llama.build}: ${device}` : device
  control.estimated(estimateOf(checkpoint, held + memoryBeside(checkpoint, type, { ...settings, held, proofOf })))
  requireLlamaCppMemory(held)
  const { key, path } = await file()
  const threads = await threadsFor(checkpoint.parameters, settings.threads, isOnCard)
  await model.load(path, { signal })
  const { computes } = settings
  const proved = { key, device: proofOf, checkpoint, model, type: type ?? 'gguf', threads, held, computes }
  const proof = await proven(proved, control)
  made.move()
  return {
    model,
    llama,
    ran: { runner: 'llama.cpp', name: nameOf(llama), type: type ?? typeOfFile(checkpoint), device, threads, proof },
    [Symbol.dispose]: () => model[Symbol.dispose](),
  }
}

/** Node with the command line, beside the process of the model. */
const commandBytes = 175e6

/** Bytes that this process holds beside that of the model: most of it where the file is written and compared, once for each. */
function memoryBeside(
  checkpoint: Checkpoint,
  type: RunnerType | undefined,
  { threads, held, proofOf }: { threads?: number | undefined; held: number; proofOf: string },
): number {
  const job = exportJob(checkpoint, type ?? 'f16', undefined, threads)
  const known = lastKnown(checkpoint.folder, type ?? 'gguf')
  const writing = type === undefined || known?.isKept ? 0 : exportMemory(job, checkpoint)
  const comparing = known?.proofs[proofOf] || !comparisonFits(checkpoint, held) ? 0 : proofMemory(job, checkpoint)
  return commandBytes + writing + comparing
}

/** The file that may have to be written is no part of what is said of the disk: that is told where it is written. */
function estimateOf({ parameters }: Checkpoint, memoryBytes: number): Estimate {
  const free = { freeDiskBytes: freeDisk(keptFolder()), freeMemoryBytes: availableMemory() }
  return { parameters: { before: parameters, after: parameters }, diskBytes: 0, memoryBytes, ...free }
}
