import type { Compatibility } from '../contract/index.ts'
import { isStock, largestShape } from '../models/decoder-layers.ts'
import { configKeys } from '../models/gguf-keys.ts'
import type { ModelConfig } from '../models/model-config.ts'
import { familyOf } from '../models/registry.ts'
import { countParameters } from '../models/tensors.ts'
import { SecateurError } from '../shared/errors.ts'
import { planExport } from './gguf/plan.ts'

/** Which programs load a checkpoint of this architecture, and why: told from the config alone. */
export const compatibilityOf = (config: ModelConfig): Compatibility[] => [
  transformersLoads(config),
  llamaCppLoads(config),
  onnxRuntimeLoads(config),
  { program: 'Secateur', loads: 'yes', why: 'It reads every checkpoint that it writes.', fields: [] },
]

/** Which programs load a folder that was exported as ONNX. */
export const onnxCompatibility: Compatibility[] = [
  { program: 'ONNX Runtime', loads: 'yes', why: 'It is a graph of its own format.', fields: [] },
  ...(['transformers', 'llama.cpp'] as const).map((program): Compatibility => ({
    program,
    loads: 'no',
    why: 'It reads weights, and this is a graph: export the checkpoint that this was made of for it.',
    fields: [],
  })),
  {
    program: 'Secateur',
    loads: 'no',
    why: 'It reads weights, and this is a graph: start runs from the checkpoint that this was made of.',
    fields: [],
  },
]

const refuses = (program: Compatibility['program'], why: string, ...fields: string[]): Compatibility => ({
  program,
  loads: 'no',
  why,
  fields,
})

/** @returns as transformers 5.24 does */
export function transformersLoads(config: ModelConfig): Compatibility {
  const { layers, hiddenSize, headSize } = config
  const family = familyOf(config)
  if (layers.some(({ keyValueHeadOf }) => keyValueHeadOf))
    return refuses(
      'transformers',
      'Some layers have query heads that share key/value heads unevenly, for which it has no word.',
      'secateur_layers',
    )
  if (!isStock(layers))
    return family.task === 'causal-lm'
      ? refuses(
          'transformers',
          'Layers have different numbers of heads or channels. transformers 5 reads per_layer_config, but builds all ' +
            'layers alike; a few lines of Python load it, which the model card and docs/checkpoint-format.md have.',
          'secateur_layers',
          'per_layer_config',
        )
      : refuses('transformers', 'Layers have different numbers of heads or channels.', 'secateur_layers')
  const { heads } = largestShape(layers)
  if (headsFit(config, heads))
    return { program: 'transformers', loads: 'yes', why: `It loads it as ${family.architecture}.`, fields: [] }
  return family.headCounts === 'fill-hidden'
    ? refuses(
        'transformers',
        `It takes timm's class, whose heads together have the width of the model: ${heads} of ${headSize} are not ${hiddenSize}.`,
        'model_args.num_heads',
      )
    : refuses(
        'transformers',
        `transformers 5 refuses a ${family.name} whose hidden_size (${hiddenSize}) is no multiple of its ` +
          `num_attention_heads (${heads}), though head_dim says how wide a head is.`,
        'num_attention_heads',
        'hidden_size',
      )
}

/** Whether transformers takes that many heads in every layer. */
export function headsFit(config: ModelConfig, heads: number): boolean {
  const { hiddenSize, headSize } = config
  switch (familyOf(config).headCounts) {
    case 'any':
      return true
    case 'divide-hidden':
      return hiddenSize % heads === 0
    case 'fill-hidden':
      return heads * headSize === hiddenSize
  }
}

/** @returns as llama.cpp does once the checkpoint is a GGUF file */
function llamaCppLoads(config: ModelConfig): Compatibility {
  const { gguf, name } = familyOf(config)
  if (!gguf) return refuses('llama.cpp', `It has no architecture for ${name}.`, 'model_type')
  try {
    const { layout } = planExport(config, { type: 'f16', layout: 'auto' }, name)
    const { warnings } = configKeys(layout.config, name)
    const more = Math.round(100 * (countParameters(layout.config) / countParameters(config) - 1))
    const forms = {
      stock: `as ${gguf.architecture}`,
      deci: 'as deci, which counts heads and channels layer by layer',
      padded: `as ${gguf.architecture}, with heads and channels of zeros beside those that are left (${more}% more parameters)`,
    }
    return {
      program: 'llama.cpp',
      loads: 'yes',
      layout: layout.name,
      why: [`Exported as GGUF, ${forms[layout.name]}.`, ...warnings].join(' '),
      fields: layout.name === 'stock' || isStock(config.layers) ? [] : ['secateur_layers'],
    }
  } catch (error) {
    if (!(error instanceof SecateurError)) throw error
    const { message, field } = error
    const place = [name, field, ''].filter((part) => part !== undefined).join(': ')
    const why = message.startsWith(place) ? message.slice(place.length) : message
    return refuses('llama.cpp', `It ${why}.`, ...(field === undefined ? [] : [field]))
  }
}

const onnxRuntimeLoads = (config: ModelConfig): Compatibility =>
  familyOf(config).task === 'causal-lm'
    ? { program: 'ONNX Runtime', loads: 'yes', why: 'Exported as ONNX, whatever its layers are like.', fields: [] }
    : refuses('ONNX Runtime', 'Language models alone are exported as ONNX.', 'model_type')
