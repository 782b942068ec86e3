import { createHash } from 'node:crypto'
import { basename, dirname, join } from 'node:path'
import type { AskedRow } from '../plan.ts'
import type { ScoredTask } from '../scored-task.ts'
import type { ScoredRow } from '../task-score.ts'
import type { TaskRow } from '../tasks/task.ts'

/** Where the harness would lay the samples of a task whose results are in a file: beside it, with the same ending. */
export function samplesFile(results: string, task: string): string {
  return join(dirname(results), `samples_${task}${endingOf(results)}`)
}

/** The task, or the subject of one, whose samples a file beside the results would hold by its name; null of another file. */
export function taskOfSamples(results: string, name: string): string | null {
  const ending = endingOf(results)
  return name.startsWith('samples_') && name.endsWith(ending) ? name.slice('samples_'.length, -ending.length) : null
}

const endingOf = (results: string): string => {
  const name = basename(results).replace(/\.json$/i, '')
  return `_${name.replace(/^results_/, '')}.jsonl`
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
/** A number or truth value as Python writes it. */
const written = (value: number | boolean) => (typeof value === 'boolean' ? (value ? 'True' : 'False') : String(value))

/**
 * A line of a file of samples, in the keys of lm-evaluation-harness 0.4.13: what was asked, what the model answered, and
 * what it counted for. Where the harness has the row of its data set, a task of Secateur has the question as it was read.
 *
 * @param id of the row in its task, from 0
 */
export function sampleOf(
  id: number,
  task: ScoredTask,
  row: TaskRow,
  { requests }: AskedRow,
  { logLikelihoods, greedy = [], pred, predNorm, gold }: ScoredRow,
): object {
  const answers = logLikelihoods.map((value, choice) => [written(value), written(greedy[choice] === true)])
  const target = targetOf(task, row)
  const { doc = { contexts: row.contexts, choices: row.choices, gold } } = row
  const metrics = {
    ...(task.asks === 'word' && { perplexity: logLikelihoods[0]! }),
    acc: Number(pred === gold),
    ...(predNorm !== null && { acc_norm: Number(predNorm === gold) }),
  }
  return {
    doc_id: id,
    doc,
    target,
    arguments: Object.fromEntries(
      requests.map(({ context, continuation }, at) => [`gen_args_${at}`, { arg_0: context, arg_1: continuation }]),
    ),
    resps: answers.map((answer) => [answer]),
    filtered_resps: answers,
    filter: 'none',
    metrics: Object.keys(metrics),
    doc_hash: sha256(JSON.stringify(doc, null, 2)),
    prompt_hash: sha256(requests[0]!.context),
    target_hash: sha256(target),
    ...metrics,
  }
}

/** What the harness calls the target: the text where one text is scored, whatever stands before it, else a number. */
function targetOf({ asks, delimiter }: ScoredTask, { contexts, choices, gold, target }: TaskRow): string {
  if (target !== undefined) return target
  if (asks === 'word') return delimiter + choices[gold]!
  return contexts.every((context) => context === contexts[0]) ? String(gold) : choices[gold]!
}
