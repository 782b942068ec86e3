import { availableParallelism } from 'node:os'
import type { ExportJob } from '../contract/index.ts'
import type { Checkpoint } from '../models/checkpoint.ts'
import { planExport } from './gguf/plan.ts'
import { isQuantised } from './gguf/tensor-types.ts'
import { pieceNumbers } from './gguf/write.ts'

/** Bytes of the tensors that an export writes. @throws SecateurError as the export itself would */
export const exportedBytes = (job: ExportJob, { config, folder }: Checkpoint): number =>
  planExport(config, job, folder).bytes

const threadsOf = ({ threads }: ExportJob) => threads ?? availableParallelism()
/** What a thread takes by itself. */
const threadBytes = 60e6

/** Bytes that an export holds at most: pieces in 32 bits and as they are stored, for every thread. */
export const exportMemory = (job: ExportJob): number => threadsOf(job) * (threadBytes + 2 * 12 * pieceNumbers)

/** Numbers a second that a thread encodes, and bytes a second at which a disk is read and written: about, as measured. */
const speed = { plain: 150e6, blocks: 40e6, disk: 400e6 }

/** How long an export takes. */
export function exportSeconds(job: ExportJob, { parameters, bytes }: Checkpoint): number {
  const encoding = parameters / ((isQuantised(job.type) ? speed.blocks : speed.plain) * threadsOf(job))
  return encoding + (2 * bytes) / speed.disk
}
