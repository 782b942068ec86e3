import { copyFileSync, existsSync, mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { madeModels, writeModel } from './models.ts'

/** Files of tasks: in ../shared, and the same tasks of the sample. */
const taskFiles = {
  boolq: ['boolq/superglue_val_300.jsonl', 'boolq/dev.jsonl'],
  piqa: ['piqa/valid.jsonl', 'piqa/valid.jsonl'],
  hellaswag: ['hellaswag/hellaswag_val_1000.jsonl', 'hellaswag/hellaswag_val.jsonl'],
  winogrande: ['winogrande/dev.jsonl', 'winogrande/dev.jsonl'],
  arc_easy: ['arc/ARC-Easy-Test.jsonl', 'arc/ARC-Easy-Test.jsonl'],
  arc_challenge: ['arc/ARC-Challenge-Test.jsonl', 'arc/ARC-Challenge-Test.jsonl'],
  openbookqa: ['openbookqa/test.jsonl', 'openbookqa/test.jsonl'],
} as const

/**
 * Gathers what the cases read under one folder, so that no path of this computer enters what they write: `sample`,
 * `small` (a small checkpoint), `web.jsonl`, `wiki.txt`, `alpaca.json`, `tasks/` and checkpoints made here.
 *
 * @returns whether ../shared is there; without it, the sample stands in for what would come from there.
 */
export function prepareInputs(root: string, inputs: string): boolean {
  const sample = join(root, 'resources/sample')
  const data = join(root, '../shared/data')
  const hasShared = existsSync(data)
  const link = (name: string, shared: string, own: string) =>
    symlinkSync(hasShared ? join(data, shared) : join(sample, own), join(inputs, name))
  mkdirSync(join(inputs, 'tasks'), { recursive: true })
  symlinkSync(sample, join(inputs, 'sample'))
  link('small', 'stories260K', 'model')
  link('web.jsonl', 'text/c4_demo.jsonl', 'train.jsonl')
  link('wiki.txt', 'text/wiki_demo.txt', 'heldout.txt')
  link('alpaca.json', 'instruct/alpaca_en_demo.json', 'instructions.json')
  for (const [name, [shared, own]] of Object.entries(taskFiles)) {
    link(join('tasks', `${name}.jsonl`), shared, join('tasks', own))
    // The labels of PIQA lie beside its questions.
    if (name === 'piqa') link(join('tasks', 'piqa-labels.lst'), 'piqa/valid-labels.lst', 'tasks/piqa/valid-labels.lst')
  }
  for (const model of madeModels) {
    const folder = join(inputs, model.name)
    writeModel(folder, model)
    for (const name of ['tokenizer.json', 'tokenizer_config.json'])
      copyFileSync(join(sample, 'model', name), join(folder, name))
  }
  return hasShared
}

/** Flags that score the tasks in a folder. */
export const taskFlags = (folder: string): string =>
  Object.keys(taskFiles)
    .map((name) => `--task ${name}=${folder}/${name}.jsonl`)
    .join(' ')

/** Flags that score the sample's tasks. */
export const sampleTaskFlags: string = Object.entries(taskFiles)
  .map(([name, [, own]]) => `--task ${name}=../inputs/sample/tasks/${own}`)
  .join(' ')
