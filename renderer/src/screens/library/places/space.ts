import type { CheckpointSummary } from '../../../../../electron/contract/index.ts'

/** Bytes on disk of all of them. */
export const totalBytes = (checkpoints: readonly Pick<CheckpointSummary, 'bytes'>[]): number =>
  checkpoints.reduce((sum, { bytes }) => sum + bytes, 0)

/** Bytes that a move to a drive writes there: what is on it already only gets another path. */
export const bytesToCopy = (checkpoints: readonly CheckpointSummary[], mount: string): number =>
  totalBytes(checkpoints.filter((one) => one.mount !== mount))
