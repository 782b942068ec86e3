import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { Random } from '../../engine/shared/random.ts'
import { pick } from './choose.ts'
import { instructionRow } from './instructions.ts'
import { heldOutQuestions, tasks } from './questions/tasks.ts'
import { readme } from './readme.ts'
import { files, sampleSeed } from './recipe.ts'
import { trainTokenizer } from './train-tokenizer.ts'
import { paragraphsOf, trainingText, unseenParagraphs } from './training-text.ts'
import { makeWorld } from './world/world.ts'

/**
 * Writes everything of the sample but the model into `folder`: healing text, held-out text, instructions, the question
 * files of the seven tasks, the tokenizer (in `folder`/model) and a note on all of it. A pure function of the seed.
 */
export function writeData(folder: string, seed: number = sampleSeed): void {
  const write = (file: string, content: string) => {
    const target = path.join(folder, file)
    mkdirSync(path.dirname(target), { recursive: true })
    writeFileSync(target, content)
  }
  const training = trainingText(seed)
  const healing = trainingText(seed, { documents: files.healingDocuments, part: 'healing' })
  const seen = new Set([...training, ...healing].flatMap(paragraphsOf))

  write('train.jsonl', lines(healing.map((text) => ({ text }))))
  write('heldout.txt', `${unseenParagraphs(seed, seen, files.heldOutCharacters).join('\n')}\n`)
  write('instructions.json', instructionsFile(seed))
  writeQuestions(write, seed)
  const { tokenizer, config } = trainTokenizer(training)
  write('model/tokenizer.json', `${JSON.stringify(tokenizer)}\n`)
  write('model/tokenizer_config.json', `${JSON.stringify(config, null, 2)}\n`)
  write('README.md', readme(seed))
}

function writeQuestions(write: (file: string, content: string) => void, seed: number): void {
  const world = makeWorld(seed)
  for (const task of tasks) {
    const questions = heldOutQuestions(world, task, files.questionsPerTask)
    write(`tasks/${task.file}`, lines(questions.map(({ row }) => row)))
    if (task.labelFile) write(`tasks/${task.labelFile}`, questions.map(({ label }) => `${label}\n`).join(''))
  }
}

function instructionsFile(seed: number): string {
  const world = makeWorld(seed)
  const random = new Random(seed).fork('instructions')
  const rows = new Map<string, string>()
  while (rows.size < files.instructions) {
    const row = JSON.stringify(instructionRow(world, random, pick(random, tasks)))
    rows.set(row, row)
  }
  return `[\n${[...rows.values()].join(',\n')}\n]\n`
}

const lines = (rows: readonly object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join('')

if (import.meta.main) {
  writeData(process.argv[2] ?? path.join(import.meta.dirname, '../../resources/sample'))
}
