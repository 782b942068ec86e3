import { mostColumns, type PlaygroundAnswer, type RunnerChoice } from '../../../../electron/contract/index.ts'
import { runnerOf, runnerOptions, runnerValue } from './runners.ts'

/** A checkpoint that answers, and what runs it. The same one may answer in several types, side by side. */
export interface Column {
  checkpoint: number
  runner: RunnerChoice
}

const automatic: RunnerChoice = { runner: 'auto' }

/** Tells columns apart, also in an address: a checkpoint alone where what runs it is chosen for it. */
export const keyOf = ({ checkpoint, runner }: Column): string => {
  const value = runnerValue(runner)
  return value === 'auto' ? String(checkpoint) : `${checkpoint}.${value}`
}

export const columnsText = (columns: readonly Column[]): string => columns.map(keyOf).join(',')

/** The columns that an address names. */
export const columnsOf = (text: string | null): Column[] =>
  distinct(
    (text ?? '').split(',').flatMap((part) => {
      const [, id, value] = /^([1-9]\d{0,15})(?:\.(\w+))?$/.exec(part) ?? []
      return id === undefined
        ? []
        : [{ checkpoint: Number(id), runner: value === undefined ? automatic : runnerOf(value) }]
    }),
  ).slice(0, mostColumns)

export const columnOf = ({ checkpointId, runner }: PlaygroundAnswer): Column => ({ checkpoint: checkpointId, runner })

/** What a checkpoint is given that answers once more: first what differs most from F16, which is chosen for it. */
const inOrder = ['auto', 'q4_k_m', 'q8_0', 'f16', 'secateur']

/** The same, where one that stands there already in the same way is given another way, or left out where there is none. */
export function distinct(columns: readonly Column[]): Column[] {
  const taken = new Set<string>()
  return columns.flatMap((column) => {
    const ways = [column.runner, ...inOrder.map(runnerOf)].map((runner) => ({ ...column, runner }))
    const free = ways.find((way) => !taken.has(keyOf(way)))
    if (!free) return []
    taken.add(keyOf(free))
    return [free]
  })
}

/** What can run a column: not what runs the same checkpoint in another one. */
export const runnersFor = (columns: readonly Column[], at: number) =>
  runnerOptions.map((option) => {
    const isTaken = columns.some(
      ({ checkpoint, runner }, other) =>
        other !== at && checkpoint === columns[at]!.checkpoint && runnerValue(runner) === option.value,
    )
    return isTaken ? { ...option, detail: 'it answers so already', disabled: true } : option
  })

/** What an answer is called: with what was to run it where its checkpoint answers more than once. */
export function answerName(
  answers: readonly PlaygroundAnswer[],
  { checkpointId, checkpointName, runner }: PlaygroundAnswer,
): string {
  if (answers.filter((other) => other.checkpointId === checkpointId).length < 2) return checkpointName
  const { short } = runnerOptions.find(({ value }) => value === runnerValue(runner))!
  return `${checkpointName}, ${short}`
}
