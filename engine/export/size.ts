import { availableParallelism } from 'node:os'
import type { ExportJob } from '../contract/index.ts'
import type { Checkpoint } from '../models/checkpoint.ts'
import { availableMemory } from '../shared/available-memory.ts'
import { planExport } from './gguf/plan.ts'
import { isQuantised } from './gguf/tensor-types.ts'
import { pieceNumbers } from './gguf/write.ts'

/** Bytes of the tensors that an export writes. @throws SecateurError as the export itself would */
export const exportedBytes = (job: ExportJob, { config, folder }: Checkpoint): number =>
  planExport(config, job, folder).bytes

const threadsOf = ({ threads }: ExportJob) => threads ?? availableParallelism()
/** What a thread takes by itself. */
const threadBytes = 60e6

/** Bytes that an export holds at most: pieces in 32 bits and as they are stored, for every thread, or a model that is run. */
export function exportMemory(job: ExportJob, checkpoint: Checkpoint): number {
  const writing = threadsOf(job) * (threadBytes + 2 * 12 * pieceNumbers)
  return proofFits(job, checkpoint) ? Math.max(writing, proofMemory(job, checkpoint)) : writing
}

/** What a pass over one text takes beside the weights, and of those what the allocator cannot use. */
const passBytes = 200e6
const slack = 1.2

/** Bytes that reading a file back and running it takes: blocks become numbers of 32 bits. */
export const proofMemory = (job: ExportJob, { bytes, parameters }: Checkpoint): number =>
  passBytes + slack * Math.max(bytes, parameters * (job.type === 'f16' || job.type === 'bf16' ? 2 : 4))

/** Whether a proof is asked for and the models fit into memory, each by itself. */
export const proofFits = (job: ExportJob, checkpoint: Checkpoint): boolean =>
  job.proof && proofMemory(job, checkpoint) < availableMemory()

/** Numbers a second that a thread encodes, and bytes a second at which a disk is read and written: about, as measured. */
const speed = { plain: 150e6, blocks: 40e6, disk: 400e6 }

/** How long an export takes. */
export function exportSeconds(job: ExportJob, { parameters, bytes }: Checkpoint): number {
  const encoding = parameters / ((isQuantised(job.type) ? speed.blocks : speed.plain) * threadsOf(job))
  return encoding + (2 * bytes) / speed.disk
}
