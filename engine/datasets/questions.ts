import { statSync } from 'node:fs'
import { basename } from 'node:path'
import { taskKey } from '../contract/index.ts'
import { readRows, type Row } from '../data/rows.ts'
import { docReader } from '../evaluation/own-task/doc-templates.ts'
import { isTaskFile, readTaskFile, scoredSplit, splitFile } from '../evaluation/own-task/task-file.ts'
import { isMmluFolder, mmluFiles, readMmlu } from '../evaluation/read-mmlu.ts'
import { tasks } from '../evaluation/tasks/index.ts'
import type { TaskRow } from '../evaluation/tasks/task.ts'
import { badFile } from '../shared/errors.ts'

/** Questions that are more than a file of rows: a folder of MMLU, or a task file of the user's own with its data. */
export interface Questions {
  task: string
  /** The files that hold them. */
  files: string[]
  rows(signal?: AbortSignal): AsyncGenerator<Row>
  /** @throws FieldError */
  parse(row: Row): TaskRow
}

/** What a path holds of such questions; null where it is something else. */
export async function questionsAt(path: string): Promise<Questions | null> {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found?.isDirectory()) return (await isMmluFolder(path)) ? ofMmlu(path) : null
  return found?.isFile() && isTaskFile(path) ? await ofTaskFile(path) : null
}

function ofMmlu(path: string): Questions {
  return {
    task: 'mmlu',
    files: mmluFiles(path, 'test'),
    async *rows(signal) {
      for await (const { row } of readMmlu(path, 'test', signal)) yield row
    },
    parse: (row) => tasks.mmlu.parse(row),
  }
}

async function ofTaskFile(path: string): Promise<Questions> {
  const name = basename(path).replace(/(\.task)?\.json$/i, '')
  const config = readTaskFile(name, path)
  const file = splitFile(path, config, scoredSplit(path, config))
  const first = await firstOf(file)
  const { rowOf } = docReader(path, config, first)
  return {
    task: taskKey.parse((config.task ?? name).replaceAll(/[^A-Za-z0-9_-]+/g, '_').slice(0, 64)),
    files: [file],
    rows: (signal) => readRows(file, signal ? { signal } : {}),
    parse: rowOf,
  }
}

async function firstOf(file: string): Promise<Row> {
  for await (const row of readRows(file)) return row
  throw badFile(file, undefined, 'holds no rows')
}
