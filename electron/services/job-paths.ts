import { z } from 'zod'
import { pruneSchema, renameJob, schemaOfKind } from '../../engine/contract/index.ts'
import type { Platform } from '../platform.ts'
import { ProblemError } from '../problems.ts'
import { requireAllowedWithin } from './allowed-paths.ts'

export interface JobPath {
  /** Where in the job it stands, as `evaluation.tasks.piqa`. */
  field: string
  path: string
  use: 'read' | 'written'
}

/**
 * Every path that a job reads or writes, also in the settings that the runs of a sweep share or vary: what the contract
 * marks as one. A job as it was stored may have the names that settings had before.
 */
export function pathsOfJob(job: object): JobPath[] {
  const { kind, format } = job as { kind?: unknown; format?: unknown }
  const schema = schemaOfKind(kind, format)
  if (!schema) return []
  const { base, values, variants, ...rest } = renameJob({ ...job }, schema.shape, () => {}) as Record<string, unknown>
  const { cluster, ...others } = rest
  // Over ssh, its paths are those of another computer.
  const isFar = typeof cluster === 'object' && cluster !== null && 'via' in cluster && cluster.via !== undefined
  return [
    ...pathsIn(schema, isFar ? others : rest, ''),
    ...pathsIn(pruneSchema, base, 'base'),
    ...pathsIn(listsOfRuns, values, 'values'),
    ...pathsIn(z.array(pruneSchema), variants, 'variants'),
  ]
}

/**
 * Refuses a job that would read or write what the host may not touch, also through links in the folders that it names. Asked
 * when a run is made and again when it starts or goes on: hours lie between, and the job of an imported run came with it.
 *
 * @throws ProblemError of kind `refused`
 */
export const requireJobAllowed = (platform: Platform, job: object): Promise<void> =>
  requireAllowedWithin(
    platform,
    pathsOfJob(job).map(({ path }) => path),
  )

/** Levels of a job that holds paths: no setting has so many. */
const mostDepth = 32

/** Lists of values by setting. */
const listsOfRuns = z.object(
  Object.fromEntries(Object.entries(pruneSchema.shape).map(([name, setting]) => [name, z.array(setting)])),
)

function pathsIn(schema: z.ZodType, value: unknown, field: string, depth = 0): JobPath[] {
  if (depth > mostDepth) throw new ProblemError('bad-setting', `${field}: is nested too deeply.`, { field })
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault)
    return pathsIn(schema.unwrap() as z.ZodType, value, field, depth + 1)
  // Lists of paths go by the name of their setting.
  if (schema instanceof z.ZodArray || Array.isArray(value)) {
    const element = schema instanceof z.ZodArray ? (schema.element as z.ZodType) : schema
    return [value].flat().flatMap((part: unknown) => pathsIn(element, part, field, depth + 1))
  }
  const use = schema.meta()?.['path']
  if (typeof value === 'string') return use === 'read' || use === 'written' ? [{ field, path: value, use }] : []
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, part]) => {
    const inner = partOf(schema, name)
    return inner ? pathsIn(inner, part, field ? `${field}.${name}` : name, depth + 1) : []
  })
}

function partOf(schema: z.ZodType, name: string): z.ZodType | undefined {
  if (schema instanceof z.ZodRecord) return schema.valueType as z.ZodType
  return schema instanceof z.ZodObject ? (schema.shape as Record<string, z.ZodType>)[name] : undefined
}
