import type { CheckpointSummary } from '../../electron/contract/index.ts'

/** Whether the files of a checkpoint can be read now. */
export const isHere = ({ status }: Pick<CheckpointSummary, 'status'>): boolean =>
  status !== 'missing' && status !== 'away'

/** Why its files cannot be read now, in a word or two; null where they can. */
export const absenceOf = ({ status }: Pick<CheckpointSummary, 'status'>): string | null =>
  status === 'missing' ? 'missing' : status === 'away' ? 'not here now' : null
