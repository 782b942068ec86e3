import type { Option } from 'commander'
import { z } from 'zod'
import { exportFormats, type Job, schemaOfFormat } from '../../contract/index.ts'
import { badSetting } from '../../shared/errors.ts'
import { readJson } from '../../shared/files.ts'
import { jobFrom, schemaOptions } from './options.ts'

/** A flag for every setting that any format has, `format` left out; a name means the same in all of them. */
export function exportOptions(): Option[] {
  const options = new Map<string, Option>()
  for (const format of exportFormats)
    for (const option of schemaOptions(schemaOfFormat(format)!, ['kind', 'format', 'checkpoint']))
      if (!options.has(option.long!)) options.set(option.long!, option)
  return [...options.values()]
}

/**
 * The job that flags of `export` describe, over the one in the --job file.
 *
 * @throws SecateurError that names the flag
 */
export function exportJobFrom(
  positional: { checkpoint: string | undefined },
  flags: { job?: string; format?: string },
): Job {
  const stored = flags.job === undefined ? {} : readJson(flags.job, z.looseObject({}))
  const format = flags.format ?? stored['format']
  const schema = schemaOfFormat(format)
  if (schema) return jobFrom('export', schema, positional, flags)
  const known = exportFormats.join(', ')
  throw badSetting(
    '--format',
    format === undefined ? `is needed: ${known}` : `is ${JSON.stringify(format)}; known are ${known}`,
  )
}
