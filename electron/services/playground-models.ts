import { mostColumns, type RunnerChoice } from '../contract/index.ts'
import type { CheckpointRow } from '../database/checkpoints.ts'
import { ProblemError } from '../problems.ts'
import { formatOf, imageFactsOf, inspectionOf } from './checkpoint-files.ts'
import type { Context } from './context.ts'
import { denseOf, parentOf } from './lineage.ts'
import type { KnownModel } from './playground-process.ts'

type Stores = Pick<Context, 'checkpoints' | 'runs'>

/**
 * A checkpoint of the library as a model that writes; an adapter on the checkpoint that it was trained on.
 *
 * @param runner what is to run it
 * @throws ProblemError that says why it cannot write
 */
export function writingModelOf(stores: Stores, row: CheckpointRow, runner: RunnerChoice): KnownModel {
  const { id: checkpointId, name } = row
  const refuse = (text: string) => new ProblemError('unsupported', `${name} ${text}`, { file: row.path })
  if (row.status === 'away')
    throw new ProblemError('bad-file', `The drive of ${name} is not here now: connect it first.`, { file: row.path })
  if (row.status === 'missing')
    throw new ProblemError('bad-file', `The files of ${name} are missing: relocate it in the library.`, {
      file: row.path,
    })
  const inspection = inspectionOf(row)
  if (imageFactsOf(inspection)) throw refuse('is a model of images, which writes no text.')
  if (formatOf(inspection) === 'onnx')
    throw refuse('is an ONNX graph, which is not run here: take what it was made from.')
  if (row.kind !== 'adapter') return { checkpointId, name, checkpoint: row.path, ...runner }
  const base = parentOf(stores, row)
  if (!base)
    throw refuse('is an adapter whose base checkpoint is not in the library: import that, or merge the adapter.')
  return { checkpointId, name, checkpoint: base.path, adapter: row.path, ...runner }
}

/** What is laid side by side of a checkpoint: the dense one that it comes from, and itself; of one that comes from none, it alone. */
export function besideOf(stores: Stores, row: CheckpointRow): number[] {
  const dense = denseOf(stores, row)
  return dense ? [dense.id, row.id] : [row.id]
}

/** The same of a run: its checkpoint and what it wrote; of a sweep, the first of what its runs wrote. */
export function besideOfRun(stores: Stores, run: { checkpoint_id: number | null; output_id: number | null }): number[] {
  const there = [run.checkpoint_id, run.output_id].filter((id) => {
    const row = id === null ? undefined : stores.checkpoints.get(id)
    return row !== undefined && row.removed === null
  }) as number[]
  return [...new Set(there)].slice(0, mostColumns)
}
