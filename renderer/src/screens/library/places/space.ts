import type { CheckpointSummary } from '../../../../../electron/contract/index.ts'

/** Bytes that a move to a drive writes there: what is on it already only gets another path. */
export const bytesToCopy = (checkpoints: readonly CheckpointSummary[], mount: string): number =>
  checkpoints.filter((one) => one.mount !== mount).reduce((sum, { bytes }) => sum + bytes, 0)
