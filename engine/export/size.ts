import { availableParallelism } from 'node:os'
import { type ExportGgufJob, type ExportJob, ggufType, type JobEstimate } from '../contract/index.ts'
import type { Checkpoint } from '../models/checkpoint.ts'
import { availableMemory } from '../shared/available-memory.ts'
import { sum } from '../shared/sum.ts'
import { bytesPerValue } from '../checkpoint/safetensors-header.ts'
import { familyOf } from '../models/registry.ts'
import { layerWeights } from '../models/tensors.ts'
import type { WeightType } from '../tensor/stored-tensor.ts'
import { calibrationMemory, calibrationSeconds, passSeconds } from './calibration-cost.ts'
import { calibrates } from './calibrates.ts'
import { planExport } from './gguf/plan.ts'
import { isQuantised } from './gguf/tensor-types.ts'
import { pieceNumbers } from './gguf/write.ts'
import { encodingThreads } from './quantise/encoder-pool.ts'
import { weightTypeFor } from './weight-type.ts'

/** Bytes of the tensors that an export writes. @throws SecateurError as the export itself would */
export const exportedBytes = (job: ExportJob, { config, folder, dtype, parameters }: Checkpoint): number =>
  job.format === 'gguf'
    ? planExport(config, job, folder).bytes
    : parameters * bytesPerValue(weightTypeFor(job.dtype, dtype))

const dtypes = ['f32', 'f16', 'bf16'] as const

/** What an export may be, and how large: by layout in the job's type, and by type in the job's layout. */
export function exportChoices(job: ExportJob, checkpoint: Checkpoint): NonNullable<JobEstimate['export']> {
  const { config, folder, parameters } = checkpoint
  if (job.format !== 'gguf') {
    const sizes = dtypes.map((dtype) => [dtype, parameters * bytesPerValue(weightTypeFor(dtype, checkpoint.dtype))])
    return { layouts: [], types: Object.fromEntries(sizes) }
  }
  const { layout } = job
  const sizesOf = (type: ExportGgufJob['type']) => planExport(config, { type, layout: 'auto' }, folder).sizes
  const types = ggufType.options.flatMap((type) => {
    const size = sizesOf(type).find((each) => layout === 'auto' || each.layout === layout)
    return size ? [[type, size.bytes] as const] : []
  })
  return { layouts: sizesOf(job.type), types: Object.fromEntries(types) }
}

const threadsOf = ({ threads }: ExportJob) => threads ?? availableParallelism()
/** What a thread takes by itself and leaves behind, which no other part of the program can use: less of a small model. */
const threadBytes = (parameters: number): number => Math.min(65e6, 2 * parameters)

/** Bytes that an export holds at most: pieces in 32 bits and as they are stored, for every thread, and a model that is run. */
export function exportMemory(job: ExportJob, checkpoint: Checkpoint): number {
  const { vocabularySize, hiddenSize } = checkpoint.config
  const writing =
    job.format === 'gguf'
      ? encodingThreads(checkpoint.parameters, threadsOf(job)) *
        (threadBytes(checkpoint.parameters) + 2 * 12 * pieceNumbers)
      : // One tensor as it is stored, in 32 bits and as it is written; the embedding is the largest.
        12 * Math.max(vocabularySize * hiddenSize, ...layerWeights(checkpoint.config))
  const known = calibrates(job) ? calibrationPassBytes + slack * calibrationMemory(checkpoint) : 0
  const proving = proofFits(job, checkpoint) ? proofMemory(job, checkpoint) : 0
  return writing + Math.max(known, proving)
}

/** What a pass over one text takes beside the weights, and of those what the allocator cannot use. */
const [passBytes, calibrationPassBytes] = [80e6, 200e6]
const slack = 1.25
/** Of weights of 16 bits, what still lies there when the next model is read: a part of them, up to so much. */
const leftBehind = { share: 0.3, most: 300e6 }
/** Bfloat16 becomes another type by way of 32 bits, some of which wait to be collected. */
const converted = { share: 0.35, most: 100e6 }

/** Bytes that reading a file back and running it takes, and the checkpoint itself before: blocks become numbers of 32 bits. */
export function proofMemory(job: ExportJob, { bytes, parameters, dtype, config }: Checkpoint): number {
  const proved = provedBytes(job, dtype)
  // Numbers of 16 bits are widened, those of a block at once and those of the head.
  const widest = 4 * (Math.max(...layerWeights(config)) + config.vocabularySize * config.hiddenSize)
  const own = bytes + (dtype === 'float32' ? 0 : widest)
  const written = parameters * proved + (proved === 2 ? widest : 0)
  const parts = dtype === 'float32' ? [] : [leftBehind, ...(dtype === 'bfloat16' ? [converted] : [])]
  const waiting = parts.map(({ share, most }) => Math.min(share * Math.max(bytes, parameters * proved), most))
  return passBytes + slack * Math.max(own, written) + sum(waiting)
}

/** Bytes that a number takes in the model that is read back. */
function provedBytes(job: ExportJob, dtype: WeightType): number {
  // ONNX Runtime keeps weights of linear layers a second time, in the order in which it computes.
  if (job.format === 'onnx') return 2 * 4
  return job.format === 'gguf'
    ? job.type === 'f16' || job.type === 'bf16'
      ? 2
      : 4
    : bytesPerValue(weightTypeFor(job.dtype, dtype))
}

/** A proof is taken on texts. */
export const readsTexts = ({ config }: Checkpoint): boolean => familyOf(config).task === 'causal-lm'

/** Whether a proof is asked for and the models fit into memory, each by itself. */
export const proofFits = (job: ExportJob, checkpoint: Checkpoint): boolean =>
  job.proof && readsTexts(checkpoint) && proofMemory(job, checkpoint) < availableMemory()

/** Numbers a second that a thread encodes, and bytes a second at which a disk is read and written: about, as measured. */
const speed = { plain: 150e6, blocks: 40e6, disk: 400e6 }

/** Tokens of the texts that a proof runs, about, and seconds in which a model of any size is ready to run. */
const proof = { tokens: 900, startSeconds: 0.7 }

/** How long the parts of an export take: the proof is none where it is not taken. */
export function exportSeconds(
  job: ExportJob,
  checkpoint: Checkpoint,
): { calibrating: number; writing: number; proving: number } {
  const { parameters, bytes } = checkpoint
  const encoding =
    parameters /
    ((job.format === 'gguf' && isQuantised(job.type) ? speed.blocks : speed.plain) *
      (job.format === 'gguf' ? threadsOf(job) : 1))
  const calibrating = calibrates(job) ? calibrationSeconds(checkpoint, threadsOf(job)) : 0
  // The checkpoint and what was written are each read and run.
  const proving = proofFits(job, checkpoint)
    ? 2 * (proof.startSeconds + passSeconds(checkpoint, proof.tokens, threadsOf(job)) + bytes / speed.disk)
    : 0
  return { calibrating, writing: encoding + (2 * bytes) / speed.disk, proving }
}
