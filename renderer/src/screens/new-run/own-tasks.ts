import { type Dataset, engine } from '../../../../electron/contract/index.ts'
import { baseName } from '../../format.ts'
import type { Draft } from './draft.ts'

type Tasks = Draft['tasks']

/** Tasks of the user's own that are scored, each with its task file. */
export const ownTasksOf = (tasks: Tasks): [name: string, path: string][] =>
  Object.entries(tasks).filter(([name]) => !engine.isTaskName(name))

/** Registered task files of the user's own that are not scored yet. */
export const unusedTaskFiles = (datasets: readonly Dataset[], tasks: Tasks): Dataset[] =>
  datasets.filter(
    ({ task, path, status }) =>
      task !== null && !engine.isTaskName(task) && status !== 'missing' && !Object.values(tasks).includes(path),
  )

/** Tasks with one more, whose name is that of its file, or with a number where there is one of that name. */
export function withOwnTask(tasks: Tasks, path: string): Tasks {
  const stem = baseName(path)
    .replace(/(\.task)?\.json$/i, '')
    .replaceAll(/[^A-Za-z0-9_-]+/g, '_')
    .replace(/^[_-]+/, '')
    .slice(0, 56)
  const base = engine.taskKey.safeParse(stem).success ? stem : 'own'
  const isTaken = (name: string) => engine.isTaskName(name) || tasks[name] !== undefined
  let name = base
  for (let number = 2; isTaken(name); number++) name = `${base}-${number}`
  return { ...tasks, [name]: path }
}

export const withoutTask = (tasks: Tasks, task: string): Tasks =>
  Object.fromEntries(Object.entries(tasks).filter(([name]) => name !== task))

/** A file of each task that has one among the data sets; what is chosen already stays. */
export function allRegistered(tasks: Tasks, datasets: readonly Dataset[]): Tasks {
  let chosen = { ...tasks }
  for (const { task, path, status } of datasets) {
    if (task === null || status === 'missing') continue
    if (engine.isTaskName(task)) chosen[task] ??= path
    else if (!Object.values(chosen).includes(path)) chosen = withOwnTask(chosen, path)
  }
  return chosen
}
