import { isGgufFile } from '../checkpoint/gguf/file.ts'
import type { RunnerSettings } from '../contract/index.ts'
import { whyNotGguf } from '../export/gguf/export.ts'
import type { Checkpoint } from '../models/checkpoint.ts'
import { SecateurError } from '../shared/errors.ts'
import type { Choice } from '../backends/choose.ts'
import { howToInstall } from './card-builds.ts'
import { findInstalled, type InstalledLlamaCpp, type LlamaCpp } from './installed.ts'

/** What runs a model, and why the other does not; null where this one was asked for. */
export type ChosenRunner =
  | {
      runner: 'llama.cpp'
      /** In the order in which they are tried. */
      builds: readonly LlamaCpp[]
      why: string | null
    }
  | { runner: 'secateur'; why: string | null }

export interface RunnerQuestion extends RunnerSettings {
  device: string
  /** Whether an adapter is applied as the model runs. */
  adapter?: boolean
  /** Makes the back end current that would compute, and tells which it is. */
  computes: () => Promise<Choice>
}

/** Back ends of Secateur that compute on the processor; others compute on a graphics card. */
const onProcessor: readonly string[] = ['onnx', 'cpu']

/**
 * What runs a checkpoint.
 *
 * @throws SecateurError where llama.cpp is asked for and cannot
 */
export async function chooseRunner(
  checkpoint: Checkpoint,
  question: RunnerQuestion,
  found: ReturnType<typeof findInstalled> = findInstalled(),
): Promise<ChosenRunner> {
  const { runner } = question
  if (runner === 'secateur') return { runner, why: null }
  const chosen =
    'missing' in found ? found.missing : ((await whyNot(checkpoint, question)) ?? (await buildsFor(question, found)))
  if (typeof chosen !== 'string') return { runner: 'llama.cpp', builds: chosen, why: null }
  if (runner === 'llama.cpp') throw new SecateurError('unsupported', chosen, { field: 'runner' })
  return { runner: 'secateur', why: chosen }
}

/** Why llama.cpp cannot run it, whatever computes. */
async function whyNot(
  checkpoint: Checkpoint,
  { runner, type, device, adapter }: RunnerQuestion,
): Promise<string | null> {
  if (adapter) return 'an adapter is applied as it runs: merge it to run the checkpoint on llama.cpp'
  if (runner === 'auto' && onProcessor.includes(device))
    return `device ${device} is asked for, which is a back end of Secateur`
  // A GGUF file runs as it is, unless another type is asked for.
  if (isGgufFile(checkpoint.folder) && type === undefined) return null
  return await whyNotGguf(checkpoint, type ?? 'f16')
}

/**
 * The builds that are tried, or why none is. Where a graphics card would compute, a llama.cpp that nobody asked for computes on
 * one too: the processor is no match for it.
 */
async function buildsFor(
  { runner, device, computes }: RunnerQuestion,
  { processor, cards }: InstalledLlamaCpp,
): Promise<readonly LlamaCpp[] | string> {
  if (runner === 'llama.cpp') return onProcessor.includes(device) ? [processor] : [...cards, processor]
  let computing = `device ${device} is asked for`
  if (device === 'auto') {
    const choice = await computes()
    if (onProcessor.includes(choice.name)) return [...cards, processor]
    computing = `${choice.device} computes`
  }
  if (cards.length > 0) return cards
  const how = howToInstall()
  return `${computing}, and this llama.cpp is for the processor${how === null ? '' : `: ${how}`}`
}
