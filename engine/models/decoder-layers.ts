import { z } from 'zod'
import { badFile } from '../shared/errors.ts'
import type { LayerShape } from './model-config.ts'
import { checkSameLayers, perLayerFields, perLayerSchema, perLayerShapes } from './per-layer-config.ts'

/** `model_type` of a checkpoint whose layers differ is this prefix and the family's. */
export const raggedPrefix = 'secateur_'

const heads = z
  .int()
  .min(1)
  .max(2 ** 16)

/** An entry of `secateur_layers` (docs/checkpoint-format.md). */
export const layerSchema = z.object({
  heads,
  key_value_heads: heads,
  channels: z
    .int()
    .min(1)
    .max(2 ** 24),
  key_value_head_of: z.array(z.int().min(0)).optional(),
})

interface LayerFields {
  [name: string]: unknown
  num_hidden_layers: number
  num_attention_heads: number
  num_key_value_heads?: number | null | undefined
  intermediate_size: number
  secateur_layers?: z.infer<typeof layerSchema>[] | null | undefined
  per_layer_config?: z.infer<typeof perLayerSchema> | null | undefined
}

/** Fields in which a config says that its layers differ. */
export const raggedNames: readonly string[] = ['secateur_layers', 'per_layer_config']

/**
 * Shapes of all layers: those of the whole model's fields, or what `secateur_layers`, transformers' `per_layer_config` or
 * both of them say. Errors name the file and the field.
 */
export function layersOf(fields: LayerFields, ragged: boolean, file: string): LayerShape[] {
  const { secateur_layers: own, per_layer_config: perLayer, num_hidden_layers: count } = fields
  if (!ragged && own)
    throw badFile(file, 'secateur_layers', `is only read where model_type begins with "${raggedPrefix}"`)
  const theirs = perLayer ? perLayerShapes(perLayer, commonLayer(fields), fields, count, file) : null
  if (!ragged) return theirs ?? uniformLayers(fields, file)
  if (!own && theirs) return theirs
  const layers = raggedLayers(fields, file)
  if (theirs) checkSameLayers(layers, theirs, file)
  return layers
}

const commonLayer = (fields: LayerFields): LayerShape => ({
  heads: fields.num_attention_heads,
  keyValueHeads: fields.num_key_value_heads ?? fields.num_attention_heads,
  channels: fields.intermediate_size,
})

function uniformLayers(fields: LayerFields, file: string): LayerShape[] {
  const layer = commonLayer(fields)
  const { heads: queryHeads, keyValueHeads } = layer
  if (queryHeads % keyValueHeads !== 0) {
    throw badFile(file, 'num_key_value_heads', `is ${keyValueHeads}, which does not divide ${queryHeads} heads`)
  }
  return Array.from({ length: fields.num_hidden_layers }, () => ({ ...layer }))
}

function raggedLayers(fields: LayerFields, file: string): LayerShape[] {
  const layers = fields.secateur_layers
  if (!layers) throw badFile(file, 'secateur_layers', `is missing, though model_type begins with "${raggedPrefix}"`)
  if (layers.length !== fields.num_hidden_layers) {
    throw badFile(
      file,
      'secateur_layers',
      `has ${layers.length} layers; num_hidden_layers is ${fields.num_hidden_layers}`,
    )
  }
  return layers.map((layer, index) => {
    const keyValueHeadOf = layer.key_value_head_of
    const field = `secateur_layers.${index}.key_value_head_of`
    if (keyValueHeadOf && keyValueHeadOf.length !== layer.heads) {
      throw badFile(file, field, `has ${keyValueHeadOf.length} entries for ${layer.heads} heads`)
    }
    if (keyValueHeadOf?.some((head) => head >= layer.key_value_heads)) {
      throw badFile(file, field, `names a key/value head beyond the ${layer.key_value_heads} of this layer`)
    }
    if (!keyValueHeadOf && layer.heads % layer.key_value_heads !== 0) {
      const counts = `${layer.heads} heads and ${layer.key_value_heads} key/value heads`
      throw badFile(file, field, `is missing; ${counts} do not divide evenly`)
    }
    return {
      heads: layer.heads,
      keyValueHeads: layer.key_value_heads,
      channels: layer.channels,
      ...(keyValueHeadOf === undefined ? {} : { keyValueHeadOf }),
    }
  })
}

/** Whether a stock config of one count for all layers can say these shapes. */
export function isStock(layers: readonly LayerShape[]): boolean {
  const [first] = layers
  return layers.every(
    ({ heads: queryHeads, keyValueHeads, channels, keyValueHeadOf }) =>
      keyValueHeadOf === undefined &&
      queryHeads % keyValueHeads === 0 &&
      queryHeads === first?.heads &&
      keyValueHeads === first.keyValueHeads &&
      channels === first.channels,
  )
}

/** The largest count of each kind, which stands for the whole model where layers differ. */
export const largestShape = (layers: readonly LayerShape[]): LayerShape => ({
  heads: Math.max(...layers.map((layer) => layer.heads)),
  keyValueHeads: Math.max(...layers.map((layer) => layer.keyValueHeads)),
  channels: Math.max(...layers.map((layer) => layer.channels)),
})

/** What a config says where layers differ: in a field of our own and, where it can say it, in transformers'. */
export function raggedFields(layers: readonly LayerShape[]) {
  const perLayer = perLayerFields(layers, largestShape(layers))
  return {
    secateur_layers: layers.map(({ heads: queryHeads, keyValueHeads, channels, keyValueHeadOf }) => ({
      heads: queryHeads,
      key_value_heads: keyValueHeads,
      channels,
      ...(keyValueHeadOf === undefined ? {} : { key_value_head_of: keyValueHeadOf }),
    })),
    ...(perLayer && { per_layer_config: perLayer }),
  }
}
