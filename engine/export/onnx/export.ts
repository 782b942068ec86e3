import { setImmediate } from 'node:timers/promises'
import { join } from 'node:path'
import type { Exported, ExportOnnxJob, Proof } from '../../contract/index.ts'
import type { LikelihoodItem } from '../../evaluation/scoring-model.ts'
import type { Checkpoint } from '../../models/checkpoint.ts'
import type { DecoderConfig } from '../../models/decoder-config.ts'
import { familyOf, toConfigJson } from '../../models/registry.ts'
import { copyCompanions } from '../../models/write-checkpoint.ts'
import { SecateurError } from '../../shared/errors.ts'
import { createFolderAtomically, writeJson } from '../../shared/files.ts'
import type { WorkControl } from '../../shared/work-control.ts'
import { logSumExp } from '../../training/logits.ts'
import { baseModelOf, copyLicenses } from '../card/base-model.ts'
import { exportedCard } from '../card/exported.ts'
import { writeCard } from '../card/model-card.ts'
import type { ExportControl } from '../gguf/export.ts'
import { proveWith } from '../proof.ts'
import { weightTypeFor } from '../weight-type.ts'
import { decoderGraph } from './decoder-graph.ts'
import { OnnxDecoder } from './session.ts'
import { modelName, weightBytes, writeOnnx } from './write.ts'

/**
 * Writes a checkpoint as a folder that ONNX Runtime loads: graph, weights, config.json, tokenizer and model card. The folder
 * appears whole and synced, or not at all.
 *
 * @throws SecateurError for a model of images; where a number is too large for the type; where the disk is full
 */
export async function exportOnnx(
  job: ExportOnnxJob,
  checkpoint: Checkpoint,
  control: ExportControl,
): Promise<Exported> {
  const { config, folder, parameters } = checkpoint
  if (familyOf(config).task !== 'causal-lm')
    throw new SecateurError('unsupported', `is "${config.family}": language models alone are written as ONNX`, {
      file: folder,
      field: 'model_type',
    })
  const dtype = weightTypeFor(job.dtype, checkpoint.dtype)
  const graph = decoderGraph(config as DecoderConfig, dtype)
  const base = baseModelOf(folder, config.source)
  const proof = await createFolderAtomically(job.out, async (temporary) => {
    await writeOnnx(temporary, graph, (name) => checkpoint.read(name), control)
    writeJson(join(temporary, 'config.json'), toConfigJson(config, dtype))
    copyCompanions(folder, temporary)
    copyLicenses(folder, base, temporary)
    const proved = await control.prove?.(temporary)
    writeCard(temporary, exportedCard(job, base, checkpoint, { type: dtype, proof: proved }))
    return proved
  })
  const bytes = weightBytes(graph.weights)
  return { file: job.out, bytes, type: dtype, bitsPerWeight: (8 * bytes) / parameters, ...(proof && { proof }) }
}

/** How far an exported model is from its checkpoint, by ONNX Runtime itself. */
export async function proveOnnx(
  folder: string,
  checkpoint: Checkpoint,
  control: WorkControl,
  threads?: number,
): Promise<Proof> {
  const { maxPositions } = checkpoint.config
  return await proveWith(folder, checkpoint, maxPositions, control, async (items, onText) => {
    const decoder = await OnnxDecoder.open(join(folder, modelName), threads)
    try {
      const values: number[] = []
      for (const [index, item] of items.entries()) {
        values.push(...(await likelihoodsBy(decoder, item)))
        onText(index + 1)
        await setImmediate()
        control.signal.throwIfAborted()
      }
      return values
    } finally {
      await decoder.close()
    }
  })
}

/** Log-likelihoods of the tokens of one text after its first. */
async function likelihoodsBy(decoder: OnnxDecoder, { prefix, suffixes }: LikelihoodItem): Promise<number[]> {
  const ids = [...prefix, ...suffixes[0]!]
  const read = ids.slice(0, -1)
  const { logits } = await decoder.run([read], [read.map(() => 1)], [[...read.keys()]])
  const vocabulary = logits.length / read.length
  return suffixes[0]!.map((label, index) => {
    const row = logits.subarray((prefix.length - 1 + index) * vocabulary, (prefix.length + index) * vocabulary)
    return row[label]! - logSumExp(row)
  })
}
