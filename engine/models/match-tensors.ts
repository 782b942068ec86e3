import { join } from 'node:path'
import { quantisedHint } from '../checkpoint/folder-hint.ts'
import { weightTypeOf } from '../checkpoint/safetensors-header.ts'
import type { PlacedTensor } from '../checkpoint/weight-files.ts'
import { badFile } from '../shared/errors.ts'
import type { WeightType } from '../tensor/stored-tensor.ts'
import type { ModelConfig } from './model-config.ts'
import { familyOf } from './registry.ts'
import { expectedTensors } from './tensors.ts'

/** What is known of a weight without reading it. */
export interface TensorSummary {
  name: string
  dtype: WeightType
  shape: readonly number[]
  bytes: number
  /** Path of the file that holds it. */
  file: string
}

/** What goes lost where the checkpoint is written anew. Rotary frequencies follow from the config, and a same head from the embedding. */
export function ignoredText(folder: string, ignored: readonly string[]): string[] {
  const lost = ignored.filter((name) => !isDerived(name))
  if (lost.length === 0) return []
  const others = lost.length > 3 ? ` and ${lost.length - 3} others` : ''
  return [
    `${folder}: the model that config.json describes does not use ${lost.slice(0, 3).join(', ')}${others}: ` +
      'they are neither computed with nor written.',
  ]
}

/**
 * Tensors under the names that the family has for them.
 *
 * @throws SecateurError where a file spells one tensor in two ways
 */
export function underFamilyNames(
  config: ModelConfig,
  found: ReadonlyMap<string, PlacedTensor>,
): ReadonlyMap<string, PlacedTensor> {
  const { storedName } = familyOf(config)
  if (!storedName) return found
  const named = new Map<string, PlacedTensor>()
  for (const [stored, place] of found) {
    const name = storedName(stored)
    const other = named.get(name)
    if (other) throw badFile(place.file.path, stored, `is the same tensor as ${other.entry.name}`)
    named.set(name, place)
  }
  return named
}

/**
 * The weights of a model, in its order, and what else the files hold.
 *
 * @throws SecateurError where a weight is missing or of another type or shape, or where one that the config does not know
 * would change what the model computes
 */
export function matchTensors(folder: string, config: ModelConfig, found: ReadonlyMap<string, PlacedTensor>) {
  const configFile = join(folder, 'config.json')
  const expected = expectedTensors(config)
  const used = new Map<string, TensorSummary>()
  const missing: string[] = []
  for (const [name, shape] of expected) {
    const place = found.get(name)
    if (place) used.set(name, summaryOf(name, place, shape, configFile))
    else missing.push(name)
  }
  if (missing.length > 0) throw missingError(folder, missing, expected.size, [...found.keys()])
  const ignored = [...found.keys()].filter((name) => !expected.has(name))
  const contradicting = ignored.filter((name) => !mayIgnore(name, config))
  if (contradicting.length > 0) {
    const file = found.get(contradicting[0]!)!.file.path
    const others = contradicting.length > 1 ? ` (nor are ${contradicting.length - 1} others)` : ''
    throw badFile(file, contradicting[0], `is not part of the model that ${configFile} describes${others}`)
  }
  return { used, ignored }
}

function summaryOf(
  name: string,
  { entry, file }: PlacedTensor,
  shape: readonly number[],
  configFile: string,
): TensorSummary {
  const dtype = weightTypeOf(entry.dtype)
  if (!dtype) {
    const quantised = /^(F4$|F[68]_|[IU](8|32)$)/.test(entry.dtype)
    const remedy = quantised ? '. The checkpoint is quantised: take the original 16-bit checkpoint' : ''
    throw badFile(file.path, entry.name, `is ${entry.dtype}; weights must be F32, F16 or BF16${remedy}`)
  }
  if (entry.shape.length !== shape.length || entry.shape.some((length, axis) => length !== shape[axis])) {
    throw badFile(file.path, entry.name, `has shape [${entry.shape}]; by ${configFile} it must be [${shape}]`)
  }
  return { name, dtype, shape: entry.shape, bytes: entry.bytes, file: file.path }
}

function missingError(folder: string, missing: readonly string[], expected: number, found: readonly string[]) {
  const [first] = missing
  const quantised = quantisedHint(folder, found)
  if (quantised !== null) return badFile(folder, undefined, quantised)
  if (missing.length === 1 && first === headName) {
    return badFile(folder, first, 'is missing, and config.json does not set tie_word_embeddings to true')
  }
  const prefixed = found.some((name) => name.startsWith('layers.')) ? '. The names lack the prefix "model."' : ''
  const others = missing.length > 1 ? ` (with ${missing.length - 1} others of ${expected})` : ''
  return badFile(folder, first, `is missing from the weights, but config.json needs it${others}${prefixed}`)
}

/** Anything of the decoder that config.json does not know would change what the model computes: only harmless extras pass. */
const mayIgnore = (name: string, config: ModelConfig) => {
  const family = familyOf(config)
  return family.task === 'causal-lm' ? mayIgnoreInDecoder(name, config) : (family.isUnused?.(name) ?? false)
}

const mayIgnoreInDecoder = (name: string, config: ModelConfig) =>
  (isDerived(name) && (name !== headName || config.tiedEmbeddings)) ||
  !(name.startsWith('model.') || name.startsWith('lm_head.'))

const headName = 'lm_head.weight'
const isDerived = (name: string) => name.endsWith('.rotary_emb.inv_freq') || name === headName
