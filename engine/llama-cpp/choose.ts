import { isGgufFile } from '../checkpoint/gguf/file.ts'
import type { RunnerSettings } from '../contract/index.ts'
import { whyNotGguf } from '../export/gguf/export.ts'
import type { Checkpoint } from '../models/checkpoint.ts'
import { SecateurError } from '../shared/errors.ts'
import type { Choice } from '../backends/choose.ts'
import { findLlamaCpp, type LlamaCpp } from './installed.ts'

/** What runs a model, and why the other does not; null where this one was asked for. */
export type ChosenRunner =
  | { runner: 'llama.cpp'; llama: LlamaCpp; why: string | null }
  | { runner: 'secateur'; why: string | null }

export interface RunnerQuestion extends RunnerSettings {
  device: string
  /** Whether an adapter is applied as the model runs. */
  adapter?: boolean
  /** Makes the back end current that would compute, and tells which it is. */
  computes: () => Promise<Choice>
}

/**
 * What runs a checkpoint.
 *
 * @throws SecateurError where llama.cpp is asked for and cannot
 */
export async function chooseRunner(
  checkpoint: Checkpoint,
  question: RunnerQuestion,
  found: ReturnType<typeof findLlamaCpp> = findLlamaCpp(),
): Promise<ChosenRunner> {
  const { runner } = question
  if (runner === 'secateur') return { runner, why: null }
  const refused = 'missing' in found ? found.missing : await whyNot(checkpoint, question)
  if (refused === null && !('missing' in found)) return { runner: 'llama.cpp', llama: found, why: null }
  if (runner === 'llama.cpp') throw new SecateurError('unsupported', refused!, { field: 'runner' })
  return { runner: 'secateur', why: refused }
}

async function whyNot(
  checkpoint: Checkpoint,
  { runner, type, device, adapter, computes }: RunnerQuestion,
): Promise<string | null> {
  if (adapter) return 'an adapter is applied as it runs: merge it to run the checkpoint on llama.cpp'
  if (runner === 'auto' && device !== 'auto') return `device ${device} is asked for, which is a back end of Secateur`
  // A GGUF file runs as it is, unless another type is asked for.
  if (!isGgufFile(checkpoint.folder) || type !== undefined) {
    const unsaid = await whyNotGguf(checkpoint, type ?? 'f16')
    if (unsaid !== null) return unsaid
  }
  if (runner !== 'auto') return null
  const { name, device: computing } = await computes()
  return name === 'onnx' || name === 'cpu' ? null : `${computing} computes, and this llama.cpp is for the processor`
}
