import { z } from 'zod'
import { badSetting } from '../shared/errors.ts'
import { renameJob, schemaOfKind } from './job.ts'
import { pruneSchema } from './prune.ts'

export interface JobPath {
  /** Where in the job it stands, as `evaluation.tasks.piqa`. Lists of paths go by the name of their setting. */
  field: string
  path: string
  use: 'read' | 'written'
}

/** Levels of a job that holds paths: no setting has so many. */
const mostDepth = 32

/** Lists of values by setting. */
const listsOfRuns = z.object(
  Object.fromEntries(Object.entries(pruneSchema.shape).map(([name, setting]) => [name, z.array(setting)])),
)

/**
 * Every path that a job reads or writes, also in the settings that the runs of a sweep share or vary: what the contract
 * marks as one. A job as it was stored may have the names that settings had before.
 *
 * @throws SecateurError where the job is nested too deeply to be one
 */
export function pathsOfJob(job: object): JobPath[] {
  const paths: JobPath[] = []
  changePaths(job, (place) => {
    paths.push(place)
    return place.path
  })
  return paths
}

/** The same job, under the settings' names of today, with each of these paths changed. @throws as `pathsOfJob` does */
export function changePaths<Given extends object>(job: Given, change: (place: JobPath) => string): Given {
  const { kind, format } = job as { kind?: unknown; format?: unknown }
  const schema = schemaOfKind(kind, format)
  if (!schema) return job
  const renamed = renameJob({ ...job }, schema.shape, () => {}) as Record<string, unknown>
  // Over ssh, the paths of its cluster are those of another computer.
  const isFar = isReachedOverSsh(renamed)
  const ofRuns: Record<string, z.ZodType> = { base: pruneSchema, values: listsOfRuns, variants: z.array(pruneSchema) }
  const changed = Object.entries(renamed).map(([name, value]) => {
    const part = ofRuns[name] ?? partOf(schema, name)
    return [name, part && !(isFar && name === 'cluster') ? changedIn(part, value, name, change) : value] as const
  })
  return Object.fromEntries(changed) as Given
}

/** Whether a job is done on a cluster that does not see the files of this computer. */
export function isReachedOverSsh(job: object): boolean {
  const cluster: unknown = 'cluster' in job ? job.cluster : undefined
  return typeof cluster === 'object' && cluster !== null && 'via' in cluster && cluster.via !== undefined
}

function changedIn(
  schema: z.ZodType,
  value: unknown,
  field: string,
  change: (place: JobPath) => string,
  depth = 1,
): unknown {
  if (depth > mostDepth) throw badSetting(field, 'is nested too deeply.')
  const inside = (part: z.ZodType, one: unknown, name = field) => changedIn(part, one, name, change, depth + 1)
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault)
    return inside(schema.unwrap() as z.ZodType, value)
  const element = schema instanceof z.ZodArray ? (schema.element as z.ZodType) : schema
  if (Array.isArray(value)) return value.map((part: unknown) => inside(element, part))
  if (element !== schema) return inside(element, value)
  const use = schema.meta()?.['path']
  if (typeof value === 'string')
    return use === 'read' || use === 'written' ? change({ field, path: value, use }) : value
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => {
      const part = partOf(schema, name)
      return [name, part ? inside(part, one, `${field}.${name}`) : one]
    }),
  )
}

function partOf(schema: z.ZodType, name: string): z.ZodType | undefined {
  if (schema instanceof z.ZodRecord) return schema.valueType as z.ZodType
  return schema instanceof z.ZodObject ? (schema.shape as Record<string, z.ZodType>)[name] : undefined
}
