import { existsSync, statSync } from 'node:fs'
import { basename } from 'node:path'
import type { GgufKeys, GgufValue } from '../../checkpoint/gguf/writer.ts'
import { cardBeside, type Exported, type ExportGgufJob, type Proof } from '../../contract/index.ts'
import type { Checkpoint } from '../../models/checkpoint.ts'
import { configKeys } from '../../models/gguf-keys.ts'
import { createFileAtomically, readSmallFile, writeFileAtomically } from '../../shared/files.ts'
import { failureOf, SecateurError } from '../../shared/errors.ts'
import { explained } from '../../shared/system-errors.ts'
import type { WorkControl } from '../../shared/work-control.ts'
import { nameFor } from '../../tokenizer/gguf-phi3.ts'
import type { Calibration } from '../calibrate.ts'
import { baseModelOf } from '../card/base-model.ts'
import { exportedCard } from '../card/exported.ts'
import { isOwnCard, modelCard } from '../card/model-card.ts'
import { generalKeys } from './general-keys.ts'
import { CalibratedLayers } from './calibrated-layers.ts'
import { planExport } from './plan.ts'
import { tokenizerKeys } from './tokenizer-keys.ts'
import { writeGguf } from './write.ts'

/** Bytes of a card that is looked at. */
const mostCard = 2 ** 20

export interface ExportControl extends WorkControl {
  /** Takes what a person may want to know, and what they must. */
  say: (message: string) => void
  warn: (message: string) => void
  /** Makes ready to run a text for what weights are multiplied with; null where none is given. */
  calibrated?: (() => Promise<Calibration>) | null
  /** Says how far what was written is from the checkpoint, before it gets its name; null for no proof. */
  prove: ((file: string) => Promise<Proof>) | null
}

/** What there is to a GGUF file beside what an export says of it. */
interface WrittenGguf {
  exported: Exported
  said: string | null
  base: ReturnType<typeof baseModelOf>
}

/**
 * Writes a checkpoint as a GGUF file, with a model card beside it. The file appears whole and synced, or not at all.
 *
 * @throws SecateurError that names what the format cannot say; where there is a file of that name; where the disk is full
 */
export async function exportGguf(
  job: ExportGgufJob,
  checkpoint: Checkpoint,
  control: ExportControl,
): Promise<Exported> {
  const { exported, base, said } = await writeGgufFile(job, checkpoint, control)
  const { proof } = exported
  writeCardBeside(job.out, modelCard(exportedCard(job, base, checkpoint, { type: job.type, proof, said })), control)
  return exported
}

/** The same without a card. */
export async function writeGgufFile(
  job: ExportGgufJob,
  checkpoint: Checkpoint,
  control: ExportControl,
): Promise<WrittenGguf> {
  const { layout, tensors, bytes, said } = planExport(checkpoint.config, job, checkpoint.folder)
  const architecture = configKeys(layout.config, checkpoint.folder)
  const tokenizer = await tokenizerKeys(checkpoint)
  for (const message of [...architecture.warnings, ...tokenizer.warnings]) control.warn(message)
  if (said) control.say(said)
  const base = baseModelOf(checkpoint.folder, checkpoint.config.source)
  const keys: GgufKeys = new Map<string, GgufValue>([
    ...architecture.keys,
    ...generalKeys(job.type, { ...base, name: nameFor(base.name, tokenizer.naming) }),
    ...tokenizer.keys,
  ])
  const write = async (temporary: string) => {
    using calibration = await control.calibrated?.()
    if (calibration && !calibration.compensates)
      control.warn(
        'Errors of rounding are weighed, and not made up for: the sums that this needs do not fit into memory.',
      )
    using observer = calibration ? new CalibratedLayers(calibration, checkpoint.config, temporary) : null
    // A calibration, which takes most of the time, tells how far it is.
    const quiet = { ...control, progress: () => {} }
    await writeGguf(temporary, keys, tensors, checkpoint, observer ? quiet : control, {
      threads: job.threads,
      observer,
    })
  }
  const proof = await createFileAtomically(job.out, async (temporary) => {
    await write(temporary)
    return await control.prove?.(temporary)
  })
  return {
    exported: {
      file: job.out,
      bytes: statSync(job.out).size,
      type: job.type,
      layout: layout.name,
      bitsPerWeight: (8 * bytes) / checkpoint.parameters,
      ...(proof && { proof }),
    },
    said,
    base,
  }
}

/**
 * Why a checkpoint cannot be said in GGUF, in words; null where it can.
 *
 * @throws whatever is no fault of the checkpoint's
 */
export async function whyNotGguf(checkpoint: Checkpoint, type: ExportGgufJob['type']): Promise<string | null> {
  try {
    const { layout } = planExport(checkpoint.config, { type, layout: 'auto' }, checkpoint.folder)
    configKeys(layout.config, checkpoint.folder)
    await tokenizerKeys(checkpoint)
    return null
  } catch (error) {
    if (error instanceof SecateurError) return error.message
    throw error
  }
}

/** Writes the card of a file that is there: what goes wrong with it must not take the file with it. */
function writeCardBeside(file: string, card: string, { warn }: ExportControl): void {
  const path = cardBeside(file)
  try {
    if (existsSync(path) && !isOwnCard(readSmallFile(path, mostCard).toString('utf8')))
      warn(`${path} is not a card that Secateur wrote: it is left as it is, and ${basename(file)} has none.`)
    else writeFileAtomically(path, card)
  } catch (error) {
    warn(`${basename(file)} is whole, but its card could not be written: ${failureOf(explained(path, error)).message}`)
  }
}
