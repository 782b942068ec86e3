import { resolve } from 'node:path'
import type { Proof } from '../contract/index.ts'
import { proveWith } from '../export/proof.ts'
import { proofMemory } from '../export/size.ts'
import type { Checkpoint } from '../models/checkpoint.ts'
import { availableMemory } from '../shared/available-memory.ts'
import { SecateurError } from '../shared/errors.ts'
import { exportJob } from './file-for.ts'
import { readNote, writeNote } from './kept-files.ts'
import type { LlamaCppModel } from './model.ts'
import type { OpenControl } from './open-control.ts'

/**
 * By how much log-likelihoods of tokens may differ from Secateur's of the checkpoint, on average and in nats, for llama.cpp to
 * be taken at its word: another computation is off by whole nats.
 */
const mostApart: Record<string, number> = { f16: 0.05, q8_0: 0.25, q4_k_m: 1.5 }

export interface ProvenModel {
  /** Under which what is known of its file is kept. */
  key: string
  /** What computes: another device has another computation. */
  device: string
  checkpoint: Checkpoint
  model: LlamaCppModel
  type: string
  threads: number
  /** Bytes of memory that the process of the model holds. */
  held: number
  /** Makes a back end current. */
  computes: () => Promise<unknown>
}

/** Whether Secateur's model fits beside that of llama.cpp. */
export const comparisonFits = (checkpoint: Checkpoint, held: number): boolean =>
  proofMemory(exportJob(checkpoint, 'f16'), checkpoint) + held <= availableMemory()

/**
 * How far llama.cpp is from Secateur, measured once for each file and each device; null where Secateur's model does not fit
 * beside it.
 *
 * @throws SecateurError where it computes something else
 */
export async function proven(proved: ProvenModel, control: OpenControl): Promise<Proof | null> {
  const { key, device, checkpoint, type } = proved
  const proof = readNote(key)?.proofs[device] ?? (await measured(proved, control))
  if (proof && proof.mean > (mostApart[type] ?? mostApart['q4_k_m']!))
    throw new SecateurError(
      'unsupported',
      `computes something else on llama.cpp: log-likelihoods differ by ${proof.mean.toPrecision(2)} on average`,
      { file: checkpoint.folder },
    )
  return proof
}

async function measured(
  { key, device, checkpoint, model, type, threads, held, computes }: ProvenModel,
  { signal, say, progress }: OpenControl,
): Promise<Proof | null> {
  if (!comparisonFits(checkpoint, held)) {
    say('What llama.cpp computes is not compared with Secateur: both models do not fit into memory together.')
    return null
  }
  await computes()
  const told = { signal, progress: (done: number, total: number) => progress('proving', done, total) }
  const found = await proveWith(checkpoint.folder, checkpoint, Infinity, told, async (items, onText) => {
    const values: number[] = []
    for (const [index, { prefix, suffixes }] of items.entries()) {
      values.push(...(await model.score([...prefix, ...suffixes.flat()], threads, signal)))
      onText(index + 1)
    }
    return values
  })
  const proofs = { ...readNote(key)?.proofs, [device]: found }
  writeNote(key, { checkpoint: resolve(checkpoint.folder), type, proofs })
  return found
}
