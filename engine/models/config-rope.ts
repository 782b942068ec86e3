import { z } from 'zod'
import { badFile } from '../shared/errors.ts'
import { parseAs } from '../shared/files.ts'
import type { RopeScaling } from '../ops/rotary.ts'

interface Rope {
  ropeTheta: number
  ropeScaling: RopeScaling | null
}

const positive = z.number().positive()
/** rope_scaling of transformers 4 ("type", later "rope_type") or rope_parameters of transformers 5, with the theta. */
const ropeSchema = z.looseObject({
  rope_type: z.string().nullish(),
  type: z.string().nullish(),
  rope_theta: positive.nullish(),
  partial_rotary_factor: z.number().nullish(),
})
const fieldsSchema = z.looseObject({
  rope_theta: positive.nullish(),
  rope_scaling: ropeSchema.nullish(),
  rope_parameters: ropeSchema.nullish(),
  partial_rotary_factor: z.number().nullish(),
})
const linearSchema = z.looseObject({ factor: positive })
const llama3Schema = z
  .looseObject({
    factor: positive,
    low_freq_factor: positive,
    high_freq_factor: positive,
    original_max_position_embeddings: z.int().positive(),
  })
  .refine((fields) => fields.high_freq_factor > fields.low_freq_factor, {
    path: ['high_freq_factor'],
    message: 'must be above low_freq_factor',
  })

/**
 * Rotary embedding of a parsed config.json. Errors name the file and the field.
 *
 * @param theta the base where the config does not say
 */
export function readRope(source: Record<string, unknown>, file: string, theta = 10_000): Rope {
  const fields = parseAs(fieldsSchema, source, file)
  const name = fields.rope_parameters ? 'rope_parameters' : 'rope_scaling'
  const rope = fields[name]
  for (const factor of [fields.partial_rotary_factor, rope?.partial_rotary_factor]) {
    if ((factor ?? 1) !== 1) throw badFile(file, 'partial_rotary_factor', `is ${factor}; only 1 is supported`)
  }
  return {
    ropeTheta: rope?.rope_theta ?? fields.rope_theta ?? theta,
    ropeScaling: rope ? scalingOf(rope, name, file) : null,
  }
}

function scalingOf(rope: z.infer<typeof ropeSchema>, name: string, file: string): RopeScaling | null {
  const type = rope.rope_type ?? rope.type ?? 'default'
  switch (type) {
    case 'default':
      return null
    case 'linear':
      return { type, factor: parseAs(linearSchema, rope, file, name).factor }
    case 'llama3': {
      const fields = parseAs(llama3Schema, rope, file, name)
      return {
        type,
        factor: fields.factor,
        lowFrequencyFactor: fields.low_freq_factor,
        highFrequencyFactor: fields.high_freq_factor,
        originalPositions: fields.original_max_position_embeddings,
      }
    }
    default:
      throw badFile(
        file,
        `${name}.rope_type`,
        `rotary scaling "${type}" is not supported; supported are default, linear and llama3`,
      )
  }
}

/** Rotary embedding as fields of config.json, in the form (transformers 4 or 5) that `source` has. */
export function ropeFields({ ropeTheta, ropeScaling }: Rope, source: Record<string, unknown>): Record<string, unknown> {
  const fields = scalingFields(ropeScaling)
  // As it stands there: a parsed object has its fields in another order.
  const before = (name: string) => (parseAs(ropeSchema.nullish(), source[name], name) ? (source[name] as object) : {})
  if (source.rope_parameters) {
    const scaling = fields ?? { rope_type: 'default' }
    return { rope_parameters: { ...before('rope_parameters'), rope_theta: ropeTheta, ...scaling } }
  }
  return { rope_theta: ropeTheta, rope_scaling: fields && { ...before('rope_scaling'), ...fields } }
}

function scalingFields(scaling: RopeScaling | null): Record<string, unknown> | null {
  if (!scaling) return null
  const { type, factor } = scaling
  if (type === 'linear') return { rope_type: type, factor }
  return {
    rope_type: type,
    factor,
    low_freq_factor: scaling.lowFrequencyFactor,
    high_freq_factor: scaling.highFrequencyFactor,
    original_max_position_embeddings: scaling.originalPositions,
  }
}
