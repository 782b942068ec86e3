import { statSync } from 'node:fs'
import type { ChoicePredictions, ParsedServiceParams } from '../contract/index.ts'
import { rowText } from '../evaluation/task-score.ts'
import { predictionsFileOf, readChoicePredictions } from './predictions.ts'
import { askedIn, taskFileOf, type TaskTexts, taskTexts } from './task-texts.ts'

type Asked = Pick<ParsedServiceParams<'compareChoices'>, 'before' | 'after' | 'task'>

/** What a checkpoint said of the rows of a task. */
export interface Side {
  kept: ChoicePredictions
  texts: TaskTexts
}
/** A row that both checkpoints answered: its places in their predictions; the first is null where there is one alone. */
export interface Both {
  before: number | null
  after: number
}
export interface LoadedChoices {
  before: Side | null
  after: Side
  pairs: Both[]
}

/** Pages of one table are asked for one after the other: what they are cut from is kept, of the last two tables. */
const last = new Map<string, LoadedChoices>()
const mostKept = 2

/** The predictions of one or two checkpoints with the texts of their task; null where one of them kept none. */
export async function loadChoices(asked: Asked, signal: AbortSignal): Promise<LoadedChoices | null> {
  const key = keyOf(asked)
  const known = last.get(key)
  if (known) return known
  const { before: first, after: second, task } = asked
  const after = await sideOf(second, task, signal)
  const before = first ? await sideOf(first, task, signal) : null
  if (!after || (first && !before)) return null
  const isSame = first !== undefined && sameAsked(first, second, task)
  const loaded = { before, after, pairs: pairsOf(before, after, isSame) }
  last.set(key, loaded)
  for (const old of [...last.keys()].slice(0, -mostKept)) last.delete(old)
  return loaded
}

/** Files by their place, size and time: one that was changed is read again. */
function keyOf({ before, after, task }: Asked): string {
  const files = [before, after].flatMap((one) =>
    one ? [predictionsFileOf(one.path, one.which, task), taskFileOf(one.path, task)] : [],
  )
  const states = files.map((file) => {
    const stat = file === undefined ? undefined : statSync(file, { throwIfNoEntry: false })
    return [file, stat?.size, stat?.mtimeMs]
  })
  return JSON.stringify([task, states])
}

async function sideOf({ path, which }: Asked['after'], task: string, signal: AbortSignal): Promise<Side | null> {
  const kept = readChoicePredictions(path, which, task)
  return kept && { kept, texts: await taskTexts(path, which, kept, signal) }
}

function sameAsked(before: Asked['after'], after: Asked['after'], task: string): boolean {
  const asked = askedIn(after.path, after.which, task)
  return asked !== undefined && asked === askedIn(before.path, before.which, task)
}

/**
 * Rows of both: by their number where both were asked the same, by their texts otherwise, since the number of a row says
 * nothing in another file.
 */
function pairsOf(before: Side | null, after: Side, isSame: boolean): Both[] {
  const all = [...after.kept.rows.keys()]
  if (!before) return all.map((at) => ({ before: null, after: at }))
  const [earlier, later] = isSame ? [before.kept.rows, after.kept.rows] : [keysOf(before), keysOf(after)]
  const places = new Map<string | number, number>([...earlier.entries()].map(([at, key]) => [key, at]))
  return all.flatMap((at) => {
    const place = later.length === 0 ? undefined : places.get(later[at]!)
    return place === undefined ? [] : [{ before: place, after: at }]
  })
}

/** What tells each row from all others by its texts; nothing where these are not known. */
function keysOf({ kept, texts }: Side): string[] {
  if ('problem' in texts) return []
  const seen = new Map<string, number>()
  return kept.rows.map((row) => {
    const text = rowText(texts.rows[row]!)
    const times = seen.get(text) ?? 0
    seen.set(text, times + 1)
    return `${times} ${text}`
  })
}
