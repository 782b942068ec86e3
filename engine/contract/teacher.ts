import type { Conflict } from './amount.ts'
import type { FinetuneJob } from './job.ts'

/**
 * Why a job would train nothing; null where it trains something. A fine-tune begins as its checkpoint: where that alone is what
 * it learns from, there is nothing to learn. What is pruned differs from its dense model once something has left.
 */
export function conflictWithTeacher({
  kind,
  distil,
  teacher,
}: Pick<FinetuneJob, 'distil' | 'teacher'> & { kind: string }): Conflict | null {
  if (kind !== 'finetune' || distil < 1 || teacher !== undefined) return null
  return {
    field: 'distil',
    message:
      'at 1 all is learned from the teacher, which is the checkpoint itself where no other is named: a fine-tune begins as that, and would train nothing. ' +
      'Name another checkpoint as the teacher (--teacher), of one that was pruned the dense one that it was made from, or take a share below 1',
  }
}
