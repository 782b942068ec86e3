import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { checkFinite } from '../checkpoint/check-finite.ts'
import { toFloat32 } from '../checkpoint/dtype.ts'
import { withoutAdapterHint } from '../checkpoint/folder-hint.ts'
import { elementsOf, type TensorEntry } from '../checkpoint/safetensors-header.ts'
import { SafetensorsFile } from '../checkpoint/safetensors.ts'
import { linearName } from '../contract/index.ts'
import type { LinearName } from '../models/family.ts'
import type { Size } from '../models/encoder-config.ts'
import { families } from '../models/registry.ts'
import { badFile } from '../shared/errors.ts'
import { parseJsonOrNull } from '../shared/files.ts'
import { type LowRankMatrices, matrixKey, moduleName } from './fused-modules.ts'
import { type AdapterConfig, rankOf, readAdapterConfig } from './peft-config.ts'
import {
  configName,
  imageSizeKey,
  labelsKey,
  partsOf,
  type ReadAdapter,
  type TrainedClassifier,
  weightsName,
} from './peft.ts'

/**
 * Reads a PEFT adapter folder. Errors name the file and the field or tensor: kinds of adapter that are not supported,
 * a factor without its other half, shapes that do not fit each other or the rank, numbers that are not finite.
 */
export function readAdapter(folder: string): ReadAdapter {
  const config = readAdapterConfig(configIn(folder))
  using file = openWeights(folder)
  const matrices = new Map<string, LowRankMatrices>()
  for (const [key, pair] of pairFactors(file)) matrices.set(key, readPair(file, config, pair))
  const classifier = readClassifier(file, config)
  const imageSize = imageSizeOf(file)
  return {
    ...config,
    folder,
    targetModules: linearNamesOf(matrices),
    matrices,
    ...(classifier && { classifier }),
    ...(imageSize && { imageSize }),
  }
}

/** What an adapter is, from its config and the header of its weights. Errors are those of `readAdapter`. */
export function inspectAdapter(folder: string) {
  const config = readAdapterConfig(configIn(folder))
  const { base, rankPattern: _, modulesToSave: _whole, ...facts } = config
  using file = openWeights(folder)
  const pairs = pairFactors(file)
  for (const pair of pairs.values()) checkPair(file, config, pair)
  const whole = classifierEntries(file, config)
  const tensors = [...[...pairs.values()].flatMap(({ a, b }) => [a, b]), ...(whole ? [whole.weight, whole.bias] : [])]
  return {
    ...facts,
    base: base ?? null,
    targetModules: linearNamesOf(pairs),
    layers: new Set([...pairs.keys()].map((key) => partsOf(key)[0])).size,
    parameters: tensors.reduce((sum, { shape }) => sum + elementsOf(shape), 0),
    bytes: tensors.reduce((sum, { begin, end }) => sum + end - begin, 0),
  }
}

/** @throws SecateurError that says what the folder is instead, where it is no adapter. */
function configIn(folder: string): string {
  const file = join(folder, configName)
  const other = existsSync(file) ? null : withoutAdapterHint(folder)
  if (other !== null) throw badFile(folder, undefined, other)
  return file
}

function openWeights(folder: string): SafetensorsFile {
  const path = join(folder, weightsName)
  if (!existsSync(path) && existsSync(join(folder, 'adapter_model.bin'))) {
    throw badFile(folder, 'adapter_model.bin', `can run code and is not read; save the adapter as ${weightsName}`)
  }
  return new SafetensorsFile(path)
}

/** Linear layers that are adapted, in the order of their block. */
const linearNamesOf = (byKey: ReadonlyMap<string, unknown>): LinearName[] => {
  const adapted = new Set([...byKey.keys()].flatMap((key) => partsOf(key)[1]))
  return linearName.options.filter((name) => adapted.has(name))
}

interface Pair {
  /** The last part of the module's name. */
  module: string
  a: TensorEntry
  b: TensorEntry
}

/** Modules of all families, by their path within a block. */
const knownModules = new Map(families.flatMap(({ modules }) => Object.entries(modules)))

/** Module and factor. */
const factorName = /^base_model\.model\.(.+)\.lora_([AB])(?:\.default)?\.weight$/
/** Layer, and module within the layer, of a module as families spell it. */
const blockModule = new RegExp(
  `^(?:${[...new Set(families.map(({ blocks }) => blocks.replaceAll('.', '\\.')))].join('|')})\\.(\\d+)\\.(\\w+\\.\\w+)$`,
)
/** A tensor of a module that was trained whole. */
const wholeName = /^base_model\.model\.(?:timm_model\.)?(\w+)\.(?:modules_to_save\.default\.)?(weight|bias)$/

/** The name of a module that all families go by, where versions of transformers spell it differently. */
const spelled = (path: string): string => families.reduce((name, family) => family.modulePath?.(name) ?? name, path)

function pairFactors(file: SafetensorsFile): Map<string, Pair> {
  const found = new Map<string, Partial<Pair> & { module: string }>()
  for (const [name, entry] of file.tensors) {
    if (wholeName.test(name)) continue
    const [, path, factor] = factorName.exec(name) ?? []
    const [, layer, module] = (path !== undefined && blockModule.exec(spelled(path))) || []
    const linears = module === undefined ? undefined : knownModules.get(module)
    if (layer === undefined || module === undefined || !linears) {
      throw badFile(file.path, name, `is not a LoRA matrix of ${linearsText}; others are not supported`)
    }
    const key = matrixKey(Number(layer), linears)
    const pair = found.get(key) ?? { module: moduleName(module) }
    const half = factor === 'A' ? 'a' : 'b'
    if (pair[half]) throw badFile(file.path, name, 'is there under two names')
    found.set(key, { ...pair, [half]: entry })
  }
  const pairs = new Map<string, Pair>()
  for (const [key, { module, a, b }] of found) {
    if (!a || !b) throw badFile(file.path, (a ?? b)!.name, `has no lora_${a ? 'B' : 'A'} beside it`)
    pairs.set(key, { module, a, b })
  }
  if (pairs.size === 0) throw badFile(file.path, undefined, 'holds no LoRA matrices')
  return pairs
}

const linearsText = linearName.options.join(', ').replace(/, (?=\w+$)/, ' or ')

/** The tensors of a classifier that was trained whole; null where adapter_config.json names none. */
function classifierEntries(file: SafetensorsFile, { modulesToSave = [] }: AdapterConfig) {
  const found: Partial<Record<'weight' | 'bias', TensorEntry>> = {}
  for (const [name, entry] of file.tensors) {
    const [, module, part] = wholeName.exec(name) ?? []
    if (module === undefined) continue
    if (!modulesToSave.includes(module))
      throw badFile(file.path, name, `belongs to no module that modules_to_save in ${configName} names`)
    if (found[part as 'weight' | 'bias']) throw badFile(file.path, name, 'is there under two names')
    found[part as 'weight' | 'bias'] = entry
  }
  if (modulesToSave.length === 0) return null
  const { weight, bias } = found
  if (!weight || !bias)
    throw badFile(file.path, undefined, `has no ${weight ? 'bias' : 'weight'} of ${modulesToSave.join(', ')}`)
  const [classes, inputs] = weight.shape
  if (weight.shape.length !== 2 || classes === undefined || inputs === undefined)
    throw badFile(file.path, weight.name, `has shape [${weight.shape}]; a classifier's is [classes, inputs]`)
  if (bias.shape.length !== 1 || bias.shape[0] !== classes)
    throw badFile(file.path, bias.name, `has shape [${bias.shape}]; with ${classes} classes it must be [${classes}]`)
  return { weight, bias, classes, inputs }
}

function readClassifier(file: SafetensorsFile, config: AdapterConfig): TrainedClassifier | null {
  const whole = classifierEntries(file, config)
  if (!whole) return null
  const { classes, inputs } = whole
  return { a: floatsOf(file, whole.weight), b: floatsOf(file, whole.bias), inputs, labels: labelsOf(file, classes) }
}

/** Names of the classes, which Secateur writes beside the weights; null where another program wrote them. */
function labelsOf({ path, metadata }: SafetensorsFile, classes: number): readonly string[] | null {
  const text = metadata[labelsKey]
  if (text === undefined) return null
  const labels = z.array(z.string()).safeParse(parseJsonOrNull(text)).data
  if (labels?.length === classes) return labels
  throw badFile(path, `__metadata__.${labelsKey}`, `is not a list of the names of ${classes} classes`)
}

/** The size of images that Secateur writes beside the weights; undefined where there is none. */
function imageSizeOf({ path, metadata }: SafetensorsFile): Size | undefined {
  const text = metadata[imageSizeKey]
  if (text === undefined) return undefined
  const size = z.tuple([z.int().min(1), z.int().min(1)]).safeParse(parseJsonOrNull(text)).data
  if (size) return size
  throw badFile(path, `__metadata__.${imageSizeKey}`, 'is not the height and width of images')
}

function floatsOf(file: SafetensorsFile, { name }: TensorEntry): Float32Array {
  const stored = file.read(name)
  checkFinite(file.path, stored)
  return toFloat32(stored)
}

function checkPair(file: SafetensorsFile, config: AdapterConfig, { module, a, b }: Pair) {
  const rank = rankOf(config, module)
  const [inputs, outputs] = [a.shape[1], b.shape[0]]
  if (a.shape.length !== 2 || a.shape[0] !== rank || inputs === undefined) {
    throw badFile(file.path, a.name, `has shape [${a.shape}]; with rank ${rank} it must be [${rank}, inputs]`)
  }
  if (b.shape.length !== 2 || b.shape[1] !== rank || outputs === undefined) {
    throw badFile(file.path, b.name, `has shape [${b.shape}]; with rank ${rank} it must be [outputs, ${rank}]`)
  }
  return { rank, inputs, outputs }
}

function readPair(file: SafetensorsFile, config: AdapterConfig, pair: Pair): LowRankMatrices {
  const sizes = checkPair(file, config, pair)
  return { a: floatsOf(file, pair.a), b: floatsOf(file, pair.b), ...sizes }
}
