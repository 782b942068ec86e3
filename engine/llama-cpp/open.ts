import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import {
  type Estimate,
  type ExportGgufJob,
  exportGgufSchema,
  type Proof,
  type Ran,
  type RunnerType,
} from '../contract/index.ts'
import { isGgufFile } from '../checkpoint/gguf/file.ts'
import { partsOf } from '../checkpoint/gguf/open.ts'
import { freeDisk } from '../estimate/estimate.ts'
import { writeGgufFile } from '../export/gguf/export.ts'
import { proveWith } from '../export/proof.ts'
import { exportedBytes, exportMemory, proofMemory } from '../export/size.ts'
import type { Checkpoint } from '../models/checkpoint.ts'
import { availableMemory } from '../shared/available-memory.ts'
import { SecateurError } from '../shared/errors.ts'
import { sizeText } from '../shared/size-text.ts'
import { sum } from '../shared/sum.ts'
import { type LlamaCpp, nameOf } from './installed.ts'
import { keptFile, keptFolder, keyOf, lastKnown, placeFor, readNote, writeNote } from './kept-files.ts'
import { llamaCppMemory, requireLlamaCppMemory } from './memory.ts'
import { LlamaCppModel } from './model.ts'
import { threadsFor } from './threads.ts'

export interface OpenSettings {
  type?: RunnerType | undefined
  threads?: number | undefined
  /** Tokens of a prompt and of its answer that there must be room for. */
  places: number
  /** Makes a back end current, where the proof needs one. */
  computes: () => Promise<unknown>
}

export interface OpenControl {
  signal: AbortSignal
  /** Takes what a person may want to know. */
  say: (message: string) => void
  /** Takes what the model will need, before it is refused. */
  estimated: (estimate: Estimate) => void
  progress: (stage: 'reading weights' | 'writing' | 'proving', done: number, total: number) => void
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
  ran: Omit<Ran, 'why'>
}

/**
 * By how much log-likelihoods of tokens may differ from Secateur's of the checkpoint, on average and in nats, for llama.cpp to
 * be taken at its word: another computation is off by whole nats.
 */
const mostApart: Record<string, number> = { f16: 0.05, q8_0: 0.25, q4_k_m: 1.5 }

/**
 * Loads a checkpoint on llama.cpp: as a file of the type that is asked for, which is written once and kept, or the GGUF file
 * that it is. What it computes is compared with what Secateur does, once for each file.
 *
 * @throws SecateurError where it does not fit, llama.cpp cannot load it, or computes something else
 */
export async function openOnLlamaCpp(
  checkpoint: Checkpoint,
  llama: LlamaCpp,
  settings: OpenSettings,
  control: OpenControl,
): Promise<Opened> {
  const type = settings.type ?? (isGgufFile(checkpoint.folder) ? undefined : 'f16')
  const { signal } = control
  const bytes = type === undefined ? fileBytes(checkpoint.folder) : exportedBytes(jobOf(checkpoint, type), checkpoint)
  const held = llamaCppMemory(checkpoint, { bytes, type: type ?? 'gguf' }, settings.places)
  control.estimated(estimateOf(checkpoint, held + memoryBeside(checkpoint, type, settings.threads, held)))
  requireLlamaCppMemory(held)
  const key = await keyOf(checkpoint.folder, type ?? 'gguf', {
    signal,
    progress: (done, total) => control.progress('reading weights', done, total),
  })
  const file =
    type === undefined ? checkpoint.folder : await written(key, checkpoint, type, { ...settings, bytes }, control)
  const threads = await threadsFor(checkpoint.parameters, settings.threads)
  using made = new DisposableStack()
  const model = made.use(await LlamaCppModel.load(llama, file, { signal }))
  const proof = await proven(key, { checkpoint, model, type: type ?? 'gguf', threads, held }, settings, control)
  made.move()
  return {
    model,
    ran: {
      runner: 'llama.cpp',
      name: nameOf(llama),
      type: type ?? typeOfFile(checkpoint),
      device: model.card ?? 'processor',
      threads,
      proof,
    },
    [Symbol.dispose]: () => model[Symbol.dispose](),
  }
}

/** Node with the command line, beside the process of the model. */
const commandBytes = 175e6

/** Bytes that this process holds beside that of the model: most of it where the file is written and compared, once for each. */
function memoryBeside(
  checkpoint: Checkpoint,
  type: RunnerType | undefined,
  threads: number | undefined,
  held: number,
): number {
  const job = jobOf(checkpoint, type ?? 'f16', undefined, threads)
  const known = lastKnown(checkpoint.folder, type ?? 'gguf')
  const writing = type === undefined || known?.isKept ? 0 : exportMemory(job, checkpoint)
  const comparing = known?.proof || !comparisonFits(checkpoint, held) ? 0 : proofMemory(job, checkpoint)
  return commandBytes + writing + comparing
}

/** Whether Secateur's model fits beside that of llama.cpp. */
const comparisonFits = (checkpoint: Checkpoint, held: number): boolean =>
  proofMemory(jobOf(checkpoint, 'f16'), checkpoint) + held <= availableMemory()

/** The file that may have to be written is no part of what is said of the disk: that is told where it is written. */
function estimateOf({ parameters }: Checkpoint, memoryBytes: number): Estimate {
  const free = { freeDiskBytes: freeDisk(keptFolder()), freeMemoryBytes: availableMemory() }
  return { parameters: { before: parameters, after: parameters }, diskBytes: 0, memoryBytes, ...free }
}

/** Of a GGUF file, all parts of a split one. */
const fileBytes = (file: string): number => sum(partsOf(file).map((part) => statSync(part).size))

/** The type that most weights of a GGUF file have. */
function typeOfFile({ quantisation, dtype }: Checkpoint): string {
  const [most] = Object.entries(quantisation?.types ?? {}).toSorted(([, one], [, other]) => other - one)
  return most?.[0].toLowerCase() ?? dtype
}

/** The same as an export. */
const jobOf = ({ folder }: Checkpoint, type: RunnerType, out = 'model.gguf', threads?: number): ExportGgufJob =>
  exportGgufSchema.parse({
    kind: 'export',
    format: 'gguf',
    checkpoint: folder,
    type,
    out,
    proof: false,
    ...(threads !== undefined && { threads }),
  })

/** The file that is kept of a checkpoint, which is written where there is none. */
async function written(
  key: string,
  checkpoint: Checkpoint,
  type: RunnerType,
  { threads, bytes }: { threads?: number | undefined; bytes: number },
  { signal, say, progress }: OpenControl,
): Promise<string> {
  const there = keptFile(key)
  if (there !== null) return there
  const file = placeFor(key, bytes)
  const free = freeDisk(file)
  if (bytes > free)
    throw new SecateurError(
      'does-not-fit',
      `the file for llama.cpp takes ${sizeText(bytes)} and ${sizeText(free)} are free on the disk of the cache folder (XDG_CACHE_HOME names another)`,
      { file },
    )
  say(`Writing the checkpoint as ${type} for llama.cpp, which is done once (${sizeText(bytes)}).`)
  try {
    await writeGgufFile(jobOf(checkpoint, type, file, threads), checkpoint, {
      signal,
      progress: (done, total) => progress('writing', done, total),
      say: () => {},
      warn: say,
      prove: null,
    })
  } catch (error) {
    // Another process wrote the same file meanwhile.
    if (keptFile(key) === null) throw error
  }
  writeNote(key, { checkpoint: resolve(checkpoint.folder), type, proof: null })
  return file
}

/** How far llama.cpp is from Secateur, measured once for each file; null where Secateur's model does not fit beside it. */
async function proven(
  key: string,
  { checkpoint, model, type, threads, held }: ProvenModel,
  { computes }: OpenSettings,
  { signal, say, progress }: OpenControl,
): Promise<Proof | null> {
  const known = readNote(key)?.proof
  const proof = known ?? (await measured())
  if (proof && proof.mean > (mostApart[type] ?? mostApart['q4_k_m']!))
    throw new SecateurError(
      'unsupported',
      `computes something else on llama.cpp: log-likelihoods differ by ${proof.mean.toPrecision(2)} on average`,
      { file: checkpoint.folder },
    )
  return proof

  async function measured(): Promise<Proof | null> {
    if (!comparisonFits(checkpoint, held)) {
      say('What llama.cpp computes is not compared with Secateur: both models do not fit into memory together.')
      return null
    }
    await computes()
    const control = { signal, progress: (done: number, total: number) => progress('proving', done, total) }
    const found = await proveWith(checkpoint.folder, checkpoint, Infinity, control, async (items, onText) => {
      const values: number[] = []
      for (const [index, { prefix, suffixes }] of items.entries()) {
        values.push(...(await model.score([...prefix, ...suffixes.flat()], threads, signal)))
        onText(index + 1)
      }
      return values
    })
    writeNote(key, { checkpoint: resolve(checkpoint.folder), type, proof: found })
    return found
  }
}

interface ProvenModel {
  checkpoint: Checkpoint
  model: LlamaCppModel
  type: string
  threads: number
  /** Bytes that the process of the model holds. */
  held: number
}
