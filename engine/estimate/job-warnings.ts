import type { Checkpoint } from '../models/checkpoint.ts'
import { tokenizerWarning } from '../models/model-tokenizer.ts'
import { topCacheWarnings } from './teacher.ts'
import type { Work } from './work.ts'

/**
 * What a person should know of a job's checkpoint, its tokenizer and its lengths before it starts: said in the estimate,
 * and in the log of the run.
 */
export async function jobWarnings(work: Work, checkpoint: Checkpoint): Promise<string[]> {
  return [
    ...(work.kind === 'merge' ? checkpoint.warnings : await checkpointWarnings(checkpoint)),
    ...('sequenceLength' in work ? lengthWarnings(work, checkpoint) : []),
    ...eightBitWarnings(work),
    ...topCacheWarnings(work),
  ]
}

/** What is written is not what was trained, where weights are held in 8 bits meanwhile. */
function eightBitWarnings(job: Work): string[] {
  const seen = 'Training and scores see the frozen weights rounded to 8 bits'
  if (job.kind === 'prune' && job.int8 && job.mergeInto === 'original')
    return [
      `${seen}, and the adapter is merged into the original weights: what is written computes a little differently than ` +
        'what was trained. --merge-into trained writes what was trained.',
    ]
  if (job.kind === 'finetune' && job.int8)
    return [
      `${seen}: on the original weights the adapter computes a little differently than it was trained. ` +
        'secateur merge writes what was trained with --merge-into trained.',
    ]
  return []
}

/** What a person should know of a checkpoint and its tokenizer. */
export async function checkpointWarnings(checkpoint: Checkpoint): Promise<string[]> {
  const tokenizer = await tokenizerWarning(checkpoint)
  return [...checkpoint.warnings, ...(tokenizer === null ? [] : [tokenizer])]
}

/** Sequences that are longer than the model was made for; nothing else would say so, and nothing fails. */
function lengthWarnings(
  lengths: { sequenceLength: number; calibrationSequenceLength?: number | undefined },
  { config: { maxPositions } }: Pick<Checkpoint, 'config'>,
): string[] {
  const tooLong = (what: string, length: number | undefined, flag: string) =>
    length === undefined || length <= maxPositions
      ? []
      : [
          `${what} of ${length} tokens are longer than the ${maxPositions} positions that the model was made for ` +
            `(max_position_embeddings): what it computes beyond them is worse. Take ${flag} ${maxPositions} or less.`,
        ]
  return [
    ...tooLong('Sequences', lengths.sequenceLength, '--sequence-length'),
    ...tooLong('Calibration sequences', lengths.calibrationSequenceLength, '--calibration-sequence-length'),
  ]
}
