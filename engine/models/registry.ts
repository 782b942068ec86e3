import { z } from 'zod'
import { badFile } from '../shared/errors.ts'
import { parseAs, readJson } from '../shared/files.ts'
import type { WeightType } from '../tensor/stored-tensor.ts'
import { isStock, raggedNames, raggedPrefix } from './decoder-layers.ts'
import type { Family } from './family.ts'
import { gemma3 } from './gemma.ts'
import { llama } from './llama.ts'
import { mistral } from './mistral.ts'
import type { ModelConfig } from './model-config.ts'
import { phi3 } from './phi.ts'
import { qwen2, qwen3 } from './qwen.ts'
import { smollm3 } from './smollm.ts'
import { timm } from './timm.ts'
import { deit, vit } from './vit.ts'

/** Every architecture that Secateur reads, in the order in which messages name them. */
export const families: readonly Family[] = [llama, mistral, qwen2, qwen3, gemma3, phi3, smollm3, vit, deit, timm]

const byName = new Map(families.map((family) => [family.name, family]))

/** The family that a config was read by. */
export function familyOf({ family: name }: Pick<ModelConfig, 'family'>): Family {
  const family = byName.get(name)
  if (!family) throw new RangeError(`there is no family "${name}"`)
  return family
}

/** Reads and checks config.json. Errors name the file and the field. */
export const readConfig = (file: string): ModelConfig =>
  parseConfig(readJson(file, z.record(z.string(), z.unknown())), file)

/** Checks a parsed config.json; `file` is for messages. */
export function parseConfig(source: Record<string, unknown>, file: string): ModelConfig {
  const type = modelTypeOf(source, file)
  const ragged = type.startsWith(raggedPrefix)
  const family = byName.get(ragged ? type.slice(raggedPrefix.length) : type)
  if (!family)
    throw badFile(
      file,
      'model_type',
      `the architecture "${type}" is not supported; supported are ${[...byName.keys()].join(', ')}`,
    )
  return family.readConfig(source, file, ragged)
}

/** `model_type`, which timm leaves out. @throws SecateurError where it is missing */
function modelTypeOf(source: Record<string, unknown>, file: string): string {
  if (source.model_type === undefined && typeof source.architecture === 'string') return timm.name
  return parseAs(z.looseObject({ model_type: z.string() }), source, file).model_type
}

/**
 * config.json of an architecture. Fields of `config.source` that say nothing of the architecture are kept. Where all
 * layers have the same counts it is a stock config; where they differ, `model_type` is "secateur_<family>", and
 * `secateur_layers` and transformers' `per_layer_config` have the counts of each layer (docs/checkpoint-format.md).
 *
 * @param dtype the type in which the weights are written; as in `config.source` where not given
 */
export function toConfigJson(config: ModelConfig, dtype?: WeightType): Record<string, unknown> {
  const { source } = config
  const family = familyOf(config)
  const stock = isStock(config.layers)
  const kept = Object.fromEntries(Object.entries(source).filter(([name]) => !raggedNames.includes(name)))
  return {
    ...kept,
    architectures: [stock ? family.architecture : `Secateur${family.architecture}`],
    model_type: stock ? family.name : raggedPrefix + family.name,
    ...family.writeConfig(config),
    ...(dtype && { [typeof source.dtype === 'string' ? 'dtype' : 'torch_dtype']: dtype }),
  }
}
