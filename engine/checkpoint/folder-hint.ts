import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

const original = 'take the original checkpoint in safetensors'
/** A folder of the Hub's cache has its model this far down: models--org--name/snapshots/REVISION. */
const levels = 2
const mostNames = 3

/** What a folder without config.json is, and what to give instead; null where nothing is known of it. */
export function withoutConfigHint(folder: string): string | null {
  const names = namesIn(folder)
  if (names.includes('adapter_config.json'))
    return 'holds an adapter, not a checkpoint; give the folder of its base model, and this one as the adapter'
  if (names.includes('run.json'))
    return existsSync(join(folder, 'output', 'config.json'))
      ? 'is the folder of a run; the checkpoint that it made is in its output/'
      : 'is the folder of a run that has made no checkpoint'
  if (names.includes('model_index.json')) return 'holds a pipeline of diffusion models, which are not supported'
  const other = foreignWeights(names)
  if (other !== null) return other
  if (names.some((name) => name.endsWith('.safetensors')))
    return 'holds weights, but no config.json: fetch it from where the weights come from'
  const below = foldersWithConfig(folder, names)
  if (below.length === 0) return null
  const shown = below.slice(0, mostNames).join(', ') + (below.length > mostNames ? ' and others' : '')
  return `holds no config.json, but below it there is one: give ${below.length > 1 ? 'one of its folders' : 'its folder'} ${shown}`
}

/** What weights a folder holds that are not read, and what to do; null where there are none of a known kind. */
export function foreignWeights(names: readonly string[]): string | null {
  const found = (pattern: RegExp) => names.find((name) => pattern.test(name))
  const gguf = found(/\.gguf$/i)
  if (gguf) return `holds the GGUF file ${gguf}: give the file itself as the checkpoint`
  const consolidated = found(/^consolidated.*\.(safetensors|pth)$/)
  if (consolidated)
    return `holds ${consolidated}, weights in the layout of Meta or Mistral, which is not read: take the checkpoint in the layout of transformers (config.json with model.safetensors)`
  const pickle = found(/^pytorch_model.*\.bin$|\.pth$|\.pt$/)
  if (pickle) return `holds ${pickle}, which can run code and is not read; convert it to model.safetensors first`
  const others = found(/\.(h5|msgpack|onnx|ot|npz|mlmodel|ckpt)$/)
  return others ? `holds ${others}, which is not read: ${original}` : null
}

/** Why weights lack what config.json needs, where they are quantised. */
export function quantisedHint(folder: string, tensors: readonly string[]): string | null {
  const settings = ['quantize_config.json', 'quant_config.json'].find((name) => existsSync(join(folder, name)))
  const tensor = tensors.find((name) => quantisedTensor.test(name))
  if (settings === undefined && tensor === undefined) return null
  return `the weights are quantised (${settings ?? `they hold ${tensor}`}), and such checkpoints are not read: take the original 16-bit checkpoint`
}

const quantisedTensor =
  /\.(qweight|qzeros|g_idx|SCB|weight_format|absmax|quant_map|nested_absmax|weight_packed|weight_scale|weight_scale_inv|biases)$|\.quant_state\./

/** What a folder without adapter_config.json is; null where nothing is known of it. */
export function withoutAdapterHint(folder: string): string | null {
  const names = namesIn(folder)
  if (names.includes('config.json')) return 'holds a checkpoint, not an adapter'
  if (names.includes('output') && existsSync(join(folder, 'output', 'adapter_config.json')))
    return 'is the folder of a run; the adapter that it made is in its output/'
  return names.includes('run.json') ? 'is the folder of a run that has made no adapter' : null
}

function foldersWithConfig(folder: string, names: readonly string[], level = 1): string[] {
  return names.slice(0, 200).flatMap((name) => {
    const path = join(folder, name)
    if (existsSync(join(path, 'config.json'))) return [`${name}/`]
    return level < levels ? foldersWithConfig(path, namesIn(path), level + 1).map((below) => `${name}/${below}`) : []
  })
}

/** Nothing where the folder cannot be read: whoever opens its files says why. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort()
  } catch {
    return []
  }
}
