import { posix, win32 } from 'node:path'
import type { ClusterSettings, EvaluateJob, JobOfTasks } from '../../contract/index.ts'
import type { Login } from './login.ts'

/** A job as the cluster has it: in its own folder there, with the paths of the cluster. */
export function jobThere(job: JobOfTasks, settings: ClusterSettings, { remote }: Login): JobOfTasks {
  const { via: _, remote: __, map = {}, ...there } = settings
  const cluster = { ...there, fetchOutputs: false, watch: false }
  if (job.kind === 'evaluate') return { ...evaluationThere(job, map, remote), out: remote, cluster }
  const { checkpoint, base, values, variants } = job
  return { ...job, ...pathsThere({ checkpoint, base, values, variants }, map), out: remote, cluster }
}

/** Files of single rows are written there beside the result; those that were asked for are made of the parts' here. */
function evaluationThere(job: EvaluateJob, map: Record<string, string>, remote: string): EvaluateJob {
  const { checkpoint, adapter, compareWith, evaluation } = job
  const { prompts, predictions, lmEvalJson, ...read } = evaluation
  return {
    ...job,
    ...pathsThere({ checkpoint, adapter, compareWith }, map),
    evaluation: {
      ...pathsThere(read, map),
      prompts,
      ...(predictions !== undefined && { predictions: `${remote}/${posix.basename(predictions)}` }),
      ...(lmEvalJson !== undefined && { lmEvalJson: `${remote}/${posix.basename(lmEvalJson)}` }),
    },
  }
}

/** A value with every text in it that is a path in one of some folders leading to where the cluster has that folder. */
function pathsThere<Value>(value: Value, map: Record<string, string>): Value {
  if (typeof value === 'string') return pathThere(value, map) as Value
  if (Array.isArray(value)) return value.map((one: unknown) => pathsThere(one, map)) as Value
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [name, pathsThere(one as unknown, map)]),
  ) as Value
}

/** @param map folders of this computer with those of the cluster; the longest one that fits counts */
export function pathThere(path: string, map: Record<string, string>): string {
  const within = (folder: string) => path === folder || /^[\\/]/.test(path.slice(folder.length))
  const [found] = Object.entries(map)
    .map(([here, there]) => [here.replace(/[\\/]+$/, ''), there.replace(/\/+$/, '')] as const)
    .filter(([here]) => path.startsWith(here) && within(here))
    .toSorted(([one], [other]) => other.length - one.length)
  if (!found) return path
  const [here, there] = found
  const rest = path.slice(here.length)
  // Paths of Windows have other slashes, where they are such.
  return there + (win32.isAbsolute(here) && !here.startsWith('/') ? rest.replaceAll('\\', '/') : rest)
}
