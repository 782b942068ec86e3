import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sample, shared } from '../e2e/secateur.ts'
import type { Judge, Judging } from './judge.ts'
import { scoreTasks } from './outputs.ts'
import { difference, table } from './tables.ts'
import { agrees, type Verdict } from './verdicts.ts'
import type { Question } from './workshop.ts'

/** A model, and files of each task in the layouts that the data sets are published in. */
export interface Trial {
  model: string
  checkpoint: string
  files: Record<Seven, string>
}

/** The tasks of the pruning papers. */
type Seven = 'boolq' | 'piqa' | 'hellaswag' | 'winogrande' | 'arc_easy' | 'arc_challenge' | 'openbookqa'
const sevenTasks: readonly Seven[] = [
  'boolq',
  'piqa',
  'hellaswag',
  'winogrande',
  'arc_easy',
  'arc_challenge',
  'openbookqa',
]

/** The sample's questions, which every clone has. */
export const sampleFiles: Trial['files'] = {
  boolq: sample('tasks/boolq/dev.jsonl'),
  piqa: sample('tasks/piqa/valid.jsonl'),
  hellaswag: sample('tasks/hellaswag/hellaswag_val.jsonl'),
  winogrande: sample('tasks/winogrande/dev.jsonl'),
  arc_easy: sample('tasks/arc/ARC-Easy-Test.jsonl'),
  arc_challenge: sample('tasks/arc/ARC-Challenge-Test.jsonl'),
  openbookqa: sample('tasks/openbookqa/test.jsonl'),
}
const sampleTrial: Trial = { model: 'the sample', checkpoint: sample('model'), files: sampleFiles }
/** The official files, which a clone may lack. */
export const officialFiles: Trial['files'] = {
  boolq: shared('boolq/dev.jsonl'),
  piqa: shared('piqa/valid.jsonl'),
  hellaswag: shared('hellaswag/hellaswag_val_1000.jsonl'),
  winogrande: shared('winogrande/dev.jsonl'),
  arc_easy: shared('arc/ARC-Easy-Test.jsonl'),
  arc_challenge: shared('arc/ARC-Challenge-Test.jsonl'),
  openbookqa: shared('openbookqa/test.jsonl'),
}
const officialTrial: Trial = { model: 'stories260K', checkpoint: shared('stories260K'), files: officialFiles }

/** Rows of a file that are scored, and those after them that examples are drawn from. */
const [scored, drawnFrom] = [50, 40]
/** How examples are shown: how many, and whether they are drawn from other rows. */
const ways = {
  'no examples': { fewShot: 0, others: false },
  'two of other rows': { fewShot: 2, others: true },
  'two of the rows themselves': { fewShot: 2, others: false },
}
const asItComes = ', as it comes'
type Way = keyof typeof ways
const waysOf = Object.keys(ways) as Way[]

/** lm-evaluation-harness scores the same rows of the same files with the same model. */
export const lmEvalJudge: Judge = {
  name: 'lm-eval',
  title: 'Zero-shot tasks, scored by lm-evaluation-harness',
  async judge(judging) {
    const { workshop, say } = judging
    const trials = [sampleTrial, ...(existsSync(officialTrial.checkpoint) ? [officialTrial] : [])]
    const questions: Question[] = []
    for (const trial of trials) questions.push(...(await questionsOf(trial, judging)))
    questions.push(...(await otherQuestions(judging)))
    say(`lm-eval scores the same, ${questions.length} times`)
    const { versions, verdicts } = await workshop.ask('lm_eval_judge.py', questions)
    for (const verdict of verdicts) if (!agrees(verdict)) say(`DIFFERS ${JSON.stringify(verdict)}`)
    const without = trials.includes(officialTrial) ? '' : ' The official files are not on this machine.'
    return {
      agrees: verdicts.every(agrees),
      versions,
      text: `The harness's own task definitions, on rows of local files, with the model in float64, the angles
of its positions too: the sample that the repository
ships on its own questions, and stories260K on official files.${without} ${scored} rows of each task are scored without
examples, with two drawn from other rows, and with two drawn from the rows themselves. Cells have the accuracy of both, or say
that it differs, and the worst difference of the log-likelihood of a choice,
beyond 50 nats in proportion. MMLU with its five examples, LAMBADA and a task of one's own, from one task file that both read,
are small files of our own in the published layouts. What \`--lm-eval-json\` writes is read by the harness's own table, and has
its figures, keys and single rows.

${[...Map.groupBy(verdicts, ({ model }) => model)].map(([model, ofModel]) => `### ${model}\n\n${tasksTables(ofModel)}`).join('\n\n')}`,
    }
  },
}

/** Tasks that are shown in the same ways stand in one table. */
const tasksTables = (verdicts: readonly Verdict[]): string =>
  [...Map.groupBy(verdicts, ({ what }) => what.endsWith(asItComes))].map(([, alike]) => tasksTable(alike)).join('\n\n')

export function tasksTable(verdicts: readonly Verdict[]): string {
  const byTask = Map.groupBy(verdicts, ({ what }) => what.split(', ')[0]!)
  return table(
    [...byTask].map(([task, ofTask]) => ({
      task,
      ...Object.fromEntries(ofTask.map((verdict) => [verdict.what.split(', ')[1]!, cell(verdict)])),
    })),
  )
}

const cell = ({ error, accuracies, acc, logLikelihoods }: Verdict) =>
  error ?? `${accuracies ? acc : 'DIFFERS'}, ${difference(logLikelihoods)}`

/**
 * Scores the first rows of every task with Secateur; a question about each task and way of showing examples.
 *
 * @param rows of each task
 * @param shown ways of showing examples; all where not given
 */
export async function questionsOf(
  { model, checkpoint, files }: Trial,
  { workshop, say }: Judging,
  { rows = scored, shown = waysOf }: { rows?: number; shown?: readonly Way[] } = {},
): Promise<Question[]> {
  const cut = (name: string, first: number, end: number) =>
    Object.fromEntries(
      sevenTasks.map((task) => [
        task,
        cutRows(files[task], first, end, workshop.path(`${model}-${task}-${name}.jsonl`)),
      ]),
    ) as Record<Seven, string>
  const [first, next] = [cut('scored', 0, rows), cut('others', rows, rows + drawnFrom)]
  const questions: Question[] = []
  for (const way of shown) {
    say(`Secateur scores ${model}, ${way}`)
    const predictions = workshop.path(`${model}-${way}.jsonl`)
    const { fewShot, others } = ways[way]
    const train = others ? next : undefined
    const results = workshop.path(`results_${model}-${way}.json`)
    const scores = await scoreTasks(checkpoint, { files: first, predictions, fewShot, train, lmEvalJson: results })
    for (const [task, score] of Object.entries(scores) as [Seven, (typeof scores)[string]][]) {
      const asked = { task, file: first[task], train: train?.[task] ?? null, fewShot, results }
      questions.push({ model, what: `${task}, ${way}`, checkpoint, predictions, ...asked, ...score })
    }
  }
  return questions
}

/** Tasks with examples, metrics or files of another kind; a null of examples leaves them to the task. */
async function otherQuestions({ workshop, say }: Judging): Promise<Question[]> {
  say('Secateur scores MMLU, LAMBADA and a task of its own')
  const { model, checkpoint } = sampleTrial
  const files = {
    mmlu: fixture('mmlu'),
    lambada_openai: fixture('lambada.jsonl'),
    lambada_standard: fixture('lambada.jsonl'),
    own_quiz: fixture('own/quiz.json'),
  }
  const fewShot: Partial<Record<string, number>> = { mmlu: 5 }
  const [predictions, results] = [workshop.path('others.jsonl'), workshop.path('results_others.json')]
  const scores = await scoreTasks(checkpoint, { files, predictions, lmEvalJson: results })
  return Object.entries(files).map(([task, file]) => ({
    model,
    what: `${task}${asItComes}`,
    checkpoint,
    predictions,
    results,
    task,
    file,
    train: null,
    fewShot: fewShot[task] ?? null,
    ...scores[task]!,
  }))
}

const fixture = (name: string) => join(import.meta.dirname, '../fixtures/tasks', name)

/** Some lines of a task file, and of its labels if they stand in a file of their own. */
export function cutRows(from: string, first: number, end: number, to: string): string {
  const copy = (source: string, target: string) => {
    const lines = readFileSync(source, 'utf8').trim().split('\n')
    writeFileSync(target, `${lines.slice(first, end).join('\n')}\n`)
  }
  copy(from, to)
  const labels = from.replace('.jsonl', '-labels.lst')
  if (existsSync(labels)) copy(labels, to.replace('.jsonl', '-labels.lst'))
  return to
}
