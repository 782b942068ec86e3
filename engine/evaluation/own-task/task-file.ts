import { realpathSync } from 'node:fs'
import { dirname, isAbsolute, resolve } from 'node:path'
import { z } from 'zod'
import { taskNames } from '../../contract/index.ts'
import { isWithin } from '../../shared/allowed-folders.ts'
import { badFile, badSetting } from '../../shared/errors.ts'
import { readJson, readSmallFile } from '../../shared/files.ts'
import { explained } from '../../shared/system-errors.ts'

const taskFileName = /\.json$/i
const mostBytes = 1 << 20

const text = z.string().max(100_000, 'is longer than 100,000 characters')
const split = z.string().min(1).nullish()
const ignored = z.unknown().optional()

/**
 * A task of the user's own, in the words of lm-evaluation-harness's YAML, written as JSON: the harness reads the same file,
 * since JSON is YAML. What would change a score and is not understood here is refused by its name.
 */
const schema = z.strictObject({
  task: z.string().optional(),
  output_type: z.literal('multiple_choice', 'must be multiple_choice: other kinds of tasks are not read').optional(),
  dataset_path: z.enum(['json', 'parquet'], 'must be json or parquet: rows come from files beside').optional(),
  dataset_name: z.null().optional(),
  dataset_kwargs: z.strictObject({
    data_files: z.union([z.string().min(1), z.record(z.string(), z.string().min(1))]),
  }),
  training_split: split,
  validation_split: split,
  test_split: split,
  fewshot_split: split,
  num_fewshot: z.int().min(0).max(64).nullish(),
  fewshot_config: z.strictObject({ sampler: z.enum(['default', 'first_n']).optional() }).nullish(),
  description: text.nullish(),
  doc_to_text: text,
  doc_to_choice: z.union([text, z.array(text).min(2)]),
  doc_to_target: z.union([text, z.int().min(0)]),
  target_delimiter: text.default(' '),
  fewshot_delimiter: text.default('\n\n'),
  metric_list: z
    .array(
      z.strictObject({
        metric: z.enum(['acc', 'acc_norm'], 'must be acc or acc_norm: other metrics are not computed'),
        aggregation: z.literal('mean').optional(),
        higher_is_better: z.literal(true).optional(),
      }),
    )
    .min(1)
    .optional(),
  metadata: z.looseObject({ version: z.union([z.number(), z.string()]).optional() }).nullish(),
  // They change no score.
  task_alias: ignored,
  tag: ignored,
  should_decontaminate: ignored,
  doc_to_decontamination_query: ignored,
})

export type TaskFile = z.output<typeof schema>

/**
 * The description of a task of the user's own.
 *
 * @param name under which it was given
 * @throws SecateurError that names the file and the field; where it is no such file at all, the name that was given
 */
export function readTaskFile(name: string, file: string): TaskFile {
  if (!taskFileName.test(file)) {
    throw badSetting(
      'task',
      `${name} is no task that Secateur knows by name (${taskNames.join(', ')}), and ${file} is no JSON file that ` +
        'describes one of your own',
    )
  }
  return readJson(file, schema, { maxBytes: mostBytes })
}

/** Whether a file is such a description, by its name and what it holds. */
export const isTaskFile = (file: string): boolean => describing(file) !== null

/** The data files of a task file, wherever they are said to lie; none of any other file. */
export function dataFilesBeside(file: string): string[] {
  const found = schema.shape.dataset_kwargs.safeParse(describing(file)?.dataset_kwargs).data?.data_files ?? {}
  const names = typeof found === 'string' ? [found] : Object.values(found)
  return names.map((name) => resolve(dirname(file), name))
}

const description = z.object({ doc_to_text: z.unknown(), dataset_kwargs: z.unknown() })

/** What tells a description from data; null of data, and of what cannot be read: whoever reads it as that says why. */
function describing(file: string): z.output<typeof description> | null {
  if (!taskFileName.test(file)) return null
  try {
    const found = description.safeParse(JSON.parse(readSmallFile(file, mostBytes).toString('utf8'))).data
    return found?.doc_to_text === undefined || found.dataset_kwargs === undefined ? null : found
  } catch {
    return null
  }
}

/** The split that is scored, as the harness chooses it. */
export function scoredSplit(file: string, { test_split, validation_split }: TaskFile): string {
  const name = test_split ?? validation_split
  if (name == null) throw badFile(file, 'test_split', 'is missing: it names which of data_files is scored')
  return name
}

/**
 * The data file of a split. It must lie in the folder of the task file or below, so that a task file from elsewhere reads
 * nothing else of this machine.
 */
export function splitFile(file: string, { dataset_kwargs }: TaskFile, name: string): string {
  const { data_files: files } = dataset_kwargs
  // As the datasets library names the split of a lone file.
  const splits = typeof files === 'string' ? { train: files } : files
  const field = `dataset_kwargs.data_files.${name}`
  const found = Object.hasOwn(splits, name) ? splits[name]! : undefined
  if (found === undefined) {
    throw badFile(file, field, `is missing; data_files has ${Object.keys(splits).join(', ') || 'nothing'}`)
  }
  const folder = dirname(resolve(file))
  const path = resolve(folder, found)
  if (!isAbsolute(found) && isWithin(path, [folder]) && isWithin(realPath(path), [realPath(folder)])) return path
  throw badFile(
    file,
    field,
    `is ${found}, which is not in the folder of the task file: lay the data beside it, or below`,
  )
}

function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch (error) {
    throw explained(path, error)
  }
}
