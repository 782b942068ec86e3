import type { CheckpointRow } from '../database/checkpoints.ts'
import { ProblemError } from '../problems.ts'
import type { Context } from './context.ts'
import type { Inspection } from '../../engine/contract/index.ts'

/**
 * Looks whether the library has the content of a folder already, before that is copied. Only folders of the same size are
 * read.
 *
 * @throws ProblemError of kind `bad-setting` that names the entry which has it
 */
export async function refuseTwin(
  { checkpoints, engine, tasks }: Pick<Context, 'checkpoints' | 'engine' | 'tasks'>,
  inspection: Inspection,
): Promise<void> {
  const { folder, parameters, files } = inspection
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
  const alike = (row: CheckpointRow) =>
    row.removed === null && row.status === 'present' && row.bytes === bytes && row.parameters === parameters
  const candidates = checkpoints.all().filter(alike)
  if (candidates.length === 0) return
  const hashOf = async (path: string): Promise<string> => {
    const about = { kind: 'hash', title: 'Looking whether the library has it already', subject: null } as const
    const { hash } = await tasks.run(about, ({ signal, progress }) =>
      engine.request('hash', { folder: path }, { signal, progress }),
    )
    return hash
  }
  const hash = await hashOf(folder)
  for (const { name, path, content_hash: known } of candidates)
    if ((known ?? (await hashOf(path))) === hash)
      throw new ProblemError(
        'bad-setting',
        `The library has the same files already, as ${name} in ${path}: nothing was copied. Use that one, or say that they are to be copied all the same.`,
        { field: 'twins' },
      )
}
