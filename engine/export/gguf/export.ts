import { basename, resolve } from 'node:path'
import type { GgufKeys, GgufValue } from '../../checkpoint/gguf/writer.ts'
import { layOutGguf } from '../../checkpoint/gguf/writer.ts'
import type { Exported, ExportGgufJob, Proof } from '../../contract/index.ts'
import type { Checkpoint } from '../../models/checkpoint.ts'
import { configKeys } from '../../models/gguf-keys.ts'
import { createFileAtomically } from '../../shared/files.ts'
import type { WorkControl } from '../../shared/work-control.ts'
import { version } from '../../shared/version.ts'
import type { Calibration } from '../calibrate.ts'
import { knowledgeOf } from './knowledge.ts'
import { planExport } from './plan.ts'
import { fileTypeOf, isQuantised } from './tensor-types.ts'
import { tokenizerKeys } from './tokenizer-keys.ts'
import { writeGguf } from './write.ts'

export interface ExportControl extends WorkControl {
  /** Takes what a person may want to know, and what they must. */
  say: (message: string) => void
  warn: (message: string) => void
  /** Runs a text for what weights are multiplied with; null where none is given. */
  calibrated?: (() => Promise<Calibration>) | null
  /** Says how far what was written is from the checkpoint, before it gets its name; null for no proof. */
  prove: ((file: string) => Promise<Proof>) | null
}

/**
 * Writes a checkpoint as a GGUF file. The file appears whole and synced, or not at all.
 *
 * @throws SecateurError that names what the format cannot say; where there is a file of that name; where the disk is full
 */
export async function exportGguf(
  job: ExportGgufJob,
  checkpoint: Checkpoint,
  control: ExportControl,
): Promise<Exported> {
  const { layout, tensors, bytes, said } = planExport(checkpoint.config, job, checkpoint.folder)
  const architecture = configKeys(layout.config, checkpoint.folder)
  const tokenizer = await tokenizerKeys(checkpoint)
  for (const message of [...architecture.warnings, ...tokenizer.warnings]) control.warn(message)
  if (said) control.say(said)
  const calibration = await control.calibrated?.()
  if (calibration && !calibration.products)
    control.warn(
      'Errors of rounding are weighed, and not made up for: the sums that this needs do not fit into memory.',
    )
  const knownOf = calibration && knowledgeOf(calibration, checkpoint.config)
  const keys: GgufKeys = new Map<string, GgufValue>([
    ...architecture.keys,
    ...generalKeys(job, checkpoint),
    ...tokenizer.keys,
  ])
  const proof = await createFileAtomically(job.out, async (temporary) => {
    await writeGguf(temporary, keys, tensors, checkpoint, control, { threads: job.threads, knownOf })
    return await control.prove?.(temporary)
  })
  return {
    file: job.out,
    bytes: layOutGguf(keys, tensors).bytes,
    type: job.type,
    layout: layout.name,
    bitsPerWeight: (8 * bytes) / checkpoint.parameters,
    ...(proof && { proof }),
  }
}

function generalKeys({ type }: ExportGgufJob, { folder }: Checkpoint): [string, GgufValue][] {
  return [
    ['general.type', { type: 'string', value: 'model' }],
    ['general.name', { type: 'string', value: basename(resolve(folder)) }],
    ['general.file_type', { type: 'uint32', value: fileTypeOf(type) }],
    ['general.quantized_by', { type: 'string', value: `Secateur ${version}` }],
    // The version of the block formats; there is one for all that are written here.
    ...(isQuantised(type)
      ? [['general.quantization_version', { type: 'uint32', value: 2 }] as [string, GgufValue]]
      : []),
  ]
}
