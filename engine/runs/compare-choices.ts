import { compareAnswers, type ComparedChoices, type ParsedServiceParams } from '../contract/index.ts'
import type { TaskRow } from '../evaluation/tasks/task.ts'
import { badSetting } from '../shared/errors.ts'
import type { WorkControl } from '../shared/work-control.ts'
import { type Both, type LoadedChoices, loadChoices, type Side } from './choice-pairs.ts'
import { outcomes } from './compare-images.ts'

type Asked = ParsedServiceParams<'compareChoices'>
type Answer = ComparedChoices['rows'][number]['after']

/**
 * What two checkpoints said of the same rows of a task. Null where a run kept no predictions of it, as those of earlier
 * versions did not.
 *
 * @throws SecateurError where a file of predictions is damaged
 */
export async function compareChoices(
  asked: Asked,
  { signal }: Pick<WorkControl, 'signal'>,
): Promise<ComparedChoices | null> {
  const { outcome, metric, offset, limit } = asked
  if (!asked.before && outcome !== 'all' && outcome !== 'wrong')
    throw badSetting('outcome', `${outcome} asks for two checkpoints, and there is one`)
  const loaded = await loadChoices(asked, signal)
  if (!loaded) return null
  const { before, after, pairs } = loaded
  const normalised = after.kept.predictedNorm !== undefined && (!before || before.kept.predictedNorm !== undefined)
  if (metric === 'accNorm' && !normalised) throw badSetting('metric', `${asked.task} reports no acc_norm`)
  const wanted = ordered(pairs.filter(filterOf(asked, loaded)), asked, loaded)
  const rightText = (side: Side, of: (both: Both) => number) =>
    pairs.map((both) => (isRight(side, of(both), metric) ? '1' : '0')).join('')
  return {
    n: pairs.length,
    unmatched: {
      before: (before?.kept.rows.length ?? pairs.length) - pairs.length,
      after: after.kept.rows.length - pairs.length,
    },
    paired:
      before && pairs.length > 0
        ? compareAnswers(
            rightText(before, (both) => both.before!),
            rightText(after, (both) => both.after),
          )
        : null,
    normalised,
    word: after.kept.logLikelihoods.every((each) => each.length === 1),
    textProblem: problemOf(after) ?? (before && pairs.length === 0 ? problemOf(before) : null),
    total: wanted.length,
    rows: wanted.slice(offset, offset + limit).map((both) => ({
      row: after.kept.rows[both.after]!,
      ...textsOf(rowAt(after, both.after)),
      gold: after.kept.gold[both.after]!,
      before: before && answerOf(before, both.before!, metric),
      after: answerOf(after, both.after, metric),
    })),
  }
}

const problemOf = ({ texts }: Side): string | null => ('problem' in texts ? texts.problem : null)
const rowAt = ({ kept, texts }: Side, at: number): TaskRow | undefined =>
  'rows' in texts ? texts.rows[kept.rows[at]!] : undefined

/** Contexts that differ from choice to choice stand in front of each. */
function textsOf(row: TaskRow | undefined): { question: string | null; choices: string[] | null } {
  if (!row) return { question: null, choices: null }
  const { contexts, choices } = row
  const [question = ''] = contexts
  if (contexts.every((each) => each === question)) return { question, choices }
  return { question: '', choices: choices.map((choice, at) => `${contexts[at]!} ${choice}`) }
}

const predictedOf = ({ kept }: Side, at: number, metric: Asked['metric']): number =>
  (metric === 'accNorm' ? kept.predictedNorm! : kept.predicted)[at]!
const isRight = (side: Side, at: number, metric: Asked['metric']): boolean =>
  predictedOf(side, at, metric) === side.kept.gold[at]

function marginOf({ kept }: Side, at: number): number | null {
  const [values, gold] = [kept.logLikelihoods[at]!, kept.gold[at]!]
  if (values.length < 2) return null
  return (
    values[gold]! - values.reduce((most, value, choice) => (choice === gold ? most : Math.max(most, value)), -Infinity)
  )
}

const answerOf = (side: Side, at: number, metric: Asked['metric']): Answer => ({
  predicted: predictedOf(side, at, metric),
  right: isRight(side, at, metric),
  logLikelihoods: side.kept.logLikelihoods[at]!,
  margin: marginOf(side, at),
})

function filterOf({ outcome, metric, search, within }: Asked, { before, after }: LoadedChoices) {
  const sought = search.trim().toLowerCase()
  const number = /^#(\d+)$/.exec(sought)?.[1]
  const isSought = (at: number): boolean => {
    if (sought === '') return true
    if (number !== undefined) return after.kept.rows[at] === Number(number)
    const row = rowAt(after, at)
    return row !== undefined && [...row.contexts, ...row.choices].some((text) => text.toLowerCase().includes(sought))
  }
  return (both: Both): boolean =>
    outcomes[outcome](before ? isRight(before, both.before!, metric) : false, isRight(after, both.after, metric)) &&
    (within === undefined || Math.abs(marginOf(after, both.after) ?? Infinity) <= within) &&
    isSought(both.after)
}

/** Rows without a margin stand last, and equal ones as in the file. */
function ordered(pairs: Both[], { order }: Asked, { before, after }: LoadedChoices): Both[] {
  if (order === 'file' || (order === 'change' && !before)) return pairs
  const keyOf = (both: Both): number => {
    const margin = marginOf(after, both.after)
    if (margin === null) return Infinity
    return order === 'margin' ? Math.abs(margin) : margin - (marginOf(before!, both.before!) ?? margin)
  }
  const keys = new Map(pairs.map((both) => [both, keyOf(both)]))
  // A difference of two infinities would be no number.
  return pairs.toSorted((one, other) => {
    const [a, b] = [keys.get(one)!, keys.get(other)!]
    return a === b ? 0 : a < b ? -1 : 1
  })
}
