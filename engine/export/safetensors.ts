import type { Exported, ExportSafetensorsJob, Proof } from '../contract/index.ts'
import { bytesPerValue } from '../checkpoint/safetensors-header.ts'
import type { Checkpoint } from '../models/checkpoint.ts'
import { expectedTensors } from '../models/tensors.ts'
import { writeCheckpoint } from '../models/write-checkpoint.ts'
import type { StoredTensor } from '../tensor/stored-tensor.ts'
import { baseModelOf, copyLicenses } from './card/base-model.ts'
import { exportedCard } from './card/exported.ts'
import { writeCard } from './card/model-card.ts'
import type { ExportControl } from './gguf/export.ts'
import { weightTypeFor } from './weight-type.ts'

/**
 * Writes a checkpoint in another type or in files of another size, one tensor at a time.
 *
 * @throws SecateurError where a number is too large for the type, the folder holds something, the disk is full
 */
export async function exportSafetensors(
  job: ExportSafetensorsJob,
  checkpoint: Checkpoint,
  { signal, progress, prove }: ExportControl,
): Promise<Exported> {
  const { config, parameters, folder } = checkpoint
  const dtype = weightTypeFor(job.dtype, checkpoint.dtype)
  const base = baseModelOf(folder, config.source)
  let proof: Proof | undefined
  await writeCheckpoint(job.out, {
    config,
    dtype,
    tensors: tensorsOf(checkpoint),
    tokenizerFrom: folder,
    maxShardBytes: job.shardSize * 1e9,
    ifTooLarge: 'take --dtype bf16 or f32',
    beside: async (temporary) => {
      proof = await prove?.(temporary)
      copyLicenses(folder, base, temporary)
      writeCard(temporary, exportedCard(job, base, checkpoint, { type: dtype, proof }))
    },
    signal,
    onProgress: progress,
  })
  const bits = 8 * bytesPerValue(dtype)
  return {
    file: job.out,
    bytes: (parameters * bits) / 8,
    type: dtype,
    bitsPerWeight: bits,
    ...(proof && { proof }),
  }
}

function* tensorsOf(checkpoint: Checkpoint): Generator<StoredTensor> {
  for (const name of expectedTensors(checkpoint.config).keys()) yield checkpoint.read(name)
}
