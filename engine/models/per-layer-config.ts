import { z } from 'zod'
import { badFile } from '../shared/errors.ts'
import { parseAs } from '../shared/files.ts'
import type { LayerShape } from './model-config.ts'

/**
 * transformers' own field for layers that differ: what a layer has instead of the fields of the whole model, by the
 * layer's number. Only layers that differ are there.
 */
export const perLayerSchema = z.record(z.string(), z.record(z.string(), z.unknown()))
type PerLayer = z.infer<typeof perLayerSchema>

const counts = ['num_attention_heads', 'num_key_value_heads', 'intermediate_size'] as const
const overridesSchema = z.looseObject({
  num_attention_heads: z
    .int()
    .min(1)
    .max(2 ** 16)
    .optional(),
  num_key_value_heads: z
    .int()
    .min(1)
    .max(2 ** 16)
    .optional(),
  intermediate_size: z
    .int()
    .min(1)
    .max(2 ** 24)
    .optional(),
})

/**
 * Shapes of all layers as `per_layer_config` says them.
 *
 * @param common the shape that the fields of the whole model say
 * @param source config.json, whose other fields a layer may repeat but not change
 * @throws SecateurError that names the file and the field
 */
export function perLayerShapes(
  perLayer: PerLayer,
  common: LayerShape,
  source: Readonly<Record<string, unknown>>,
  layers: number,
  file: string,
): LayerShape[] {
  const shapes: LayerShape[] = Array.from({ length: layers }, () => ({ ...common }))
  const seen = new Set<number>()
  for (const [key, entry] of Object.entries(perLayer)) {
    const field = `per_layer_config.${key}`
    const layer = /^\d{1,9}$/.test(key) ? Number(key) : Number.NaN
    if (!(layer < layers)) throw badFile(file, field, `is no layer: there are layers 0 to ${layers - 1}`)
    if (seen.has(layer)) throw badFile(file, field, `describes layer ${layer} a second time`)
    seen.add(layer)
    const overrides = parseAs(overridesSchema, entry, file, field)
    const other = Object.keys(entry).find((name) => !isCount(name) && !repeats(name, entry[name], source))
    if (other !== undefined)
      throw badFile(file, `${field}.${other}`, `is not supported; layers may differ in ${counts.join(', ')} alone`)
    shapes[layer] = {
      heads: overrides.num_attention_heads ?? common.heads,
      keyValueHeads: overrides.num_key_value_heads ?? common.keyValueHeads,
      channels: overrides.intermediate_size ?? common.channels,
    }
  }
  for (const [layer, { heads, keyValueHeads }] of shapes.entries())
    if (heads % keyValueHeads !== 0)
      throw badFile(
        file,
        seen.has(layer) ? `per_layer_config.${layer}` : 'num_key_value_heads',
        `gives layer ${layer} ${keyValueHeads} key/value heads, which do not divide ${heads} heads`,
      )
  return shapes
}

const isCount = (name: string) => (counts as readonly string[]).includes(name)

/** Whether a layer's field says what holds for all layers anyway, or skips nothing. */
const repeats = (name: string, value: unknown, source: Readonly<Record<string, unknown>>): boolean =>
  name === 'skip'
    ? Array.isArray(value) && value.length === 0
    : JSON.stringify(value) === JSON.stringify(source[name] ?? null)

/**
 * Layers as `per_layer_config`, beside the largest counts as fields of the whole model; null where it cannot say them,
 * since it has no word for query heads that share key/value heads unevenly.
 */
export function perLayerFields(layers: readonly LayerShape[], common: LayerShape): PerLayer | null {
  if (layers.some(({ heads, keyValueHeads, keyValueHeadOf }) => keyValueHeadOf || heads % keyValueHeads !== 0))
    return null
  const entries = layers.map((shape, layer) => [String(layer), overridesOf(shape, common)] as const)
  return Object.fromEntries(entries.filter(([, overrides]) => Object.keys(overrides).length > 0))
}

const overridesOf = ({ heads, keyValueHeads, channels }: LayerShape, common: LayerShape): Record<string, number> => ({
  ...(heads === common.heads ? {} : { num_attention_heads: heads }),
  ...(keyValueHeads === common.keyValueHeads ? {} : { num_key_value_heads: keyValueHeads }),
  ...(channels === common.channels ? {} : { intermediate_size: channels }),
})

/**
 * Two fields of one config describe the layers: they must say the same.
 *
 * @param own what `secateur_layers` says @param theirs what `per_layer_config` says
 * @throws SecateurError that names the layer and what differs
 */
export function checkSameLayers(own: readonly LayerShape[], theirs: readonly LayerShape[], file: string): void {
  const names = [
    ['heads', 'heads', 'num_attention_heads'],
    ['keyValueHeads', 'key_value_heads', 'num_key_value_heads'],
    ['channels', 'channels', 'intermediate_size'],
  ] as const
  for (const [layer, shape] of own.entries()) {
    for (const [of, ours, field] of names)
      if (shape[of] !== theirs[layer]![of])
        throw badFile(
          file,
          `per_layer_config.${layer}.${field}`,
          `says ${theirs[layer]![of]}, and secateur_layers.${layer}.${ours} says ${shape[of]}: one of them is wrong; ` +
            'take the one that the weights have out of both, or leave per_layer_config out',
        )
    if (shape.keyValueHeadOf)
      throw badFile(
        file,
        `per_layer_config`,
        `cannot say which key/value head each query head reads, as secateur_layers.${layer}.key_value_head_of does; leave it out`,
      )
  }
}
