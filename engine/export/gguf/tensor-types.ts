import type { TensorTypeName } from '../../checkpoint/gguf/types.ts'
import { tensorTypes } from '../../checkpoint/gguf/types.ts'
import type { GgufType } from '../../contract/index.ts'
import type { TensorRole } from '../../models/family.ts'
import type { ModelConfig } from '../../models/model-config.ts'

/** The type of most matrices, and `general.file_type`. */
const mixes: Record<GgufType, { main: TensorTypeName; fileType: number }> = {
  f32: { main: 'F32', fileType: 0 },
  f16: { main: 'F16', fileType: 1 },
  bf16: { main: 'BF16', fileType: 32 },
  q4_0: { main: 'Q4_0', fileType: 2 },
  q8_0: { main: 'Q8_0', fileType: 7 },
  q4_k_m: { main: 'Q4_K', fileType: 15 },
  q5_k_m: { main: 'Q5_K', fileType: 17 },
  q6_k: { main: 'Q6_K', fileType: 18 },
}

export const fileTypeOf = (type: GgufType): number => mixes[type].fileType
/** Whether weights are stored in blocks with scales. */
export const isQuantised = (type: GgufType): boolean => tensorTypes[mixes[type].main].weights > 1

/** What rows are stored in where they are not whole blocks of a type. */
const fallbacks: Partial<Record<TensorTypeName, TensorTypeName>> = { Q4_K: 'Q5_0', Q5_K: 'Q5_1', Q6_K: 'Q8_0' }

/**
 * The type of a tensor, by the mixes of llama.cpp (llama-quant.cpp, MIT; facts alone): the output head gets 6 bits, and so
 * do values and down in the layers that feel it most.
 *
 * @param shape of the tensor in the file
 */
export function tensorTypeOf(
  { role, shape }: { role: TensorRole | null; shape: readonly number[] },
  type: GgufType,
  config: ModelConfig,
): TensorTypeName {
  const { main } = mixes[type]
  if (role === null || role.part === 'norm' || role.part === 'bias') return 'F32'
  if (!isQuantised(type)) return main
  const columns = shape.at(-1)!
  return isOneBlock(role, columns) ? 'F16' : withinRows(wantedType(role, type, shape, config), columns)
}

function wantedType(role: TensorRole, type: GgufType, shape: readonly number[], config: ModelConfig): TensorTypeName {
  const { main } = mixes[type]
  if (role.part === 'head' || (role.part === 'embedding' && config.tiedEmbeddings))
    return main === 'Q8_0' || shape.at(-1)! % tensorTypes[main].weights !== 0 ? 'Q8_0' : 'Q6_K'
  if (role.part !== 'weight' || (type !== 'q4_k_m' && type !== 'q5_k_m')) return main
  const { layers } = config
  const more = feelsMore(role.layer, layers.length) ? 'Q6_K' : main
  if (role.linears.includes('down')) return more
  if (!role.linears.includes('v')) return main
  // With 80 layers (Llama 70B) few values serve many heads, and five bits of them cost next to nothing.
  const { heads, keyValueHeads } = layers[role.layer]!
  return more === 'Q4_K' && layers.length === 80 && heads !== keyValueHeads ? 'Q5_K' : more
}

/** The first and the last eighth of the layers, and every third between. */
function feelsMore(layer: number, layers: number): boolean {
  const eighth = Math.floor(layers / 8)
  return layer < eighth || layer >= Math.floor((7 * layers) / 8) || (layer - eighth) % 3 === 2
}

/**
 * Whether few heads or channels are left of a layer, so that a row is one block of 32 weights: llama.cpp multiplies such rows
 * wrongly on processors with AMX (seen in its commit 0ad4a86).
 */
const isOneBlock = (role: TensorRole, columns: number): boolean =>
  role.part === 'weight' && columns === 32 && role.linears.some((name) => name === 'o' || name === 'down')

function withinRows(wanted: TensorTypeName, columns: number): TensorTypeName {
  const fits = (name: TensorTypeName) => columns % tensorTypes[name].weights === 0
  if (fits(wanted)) return wanted
  const next = fallbacks[wanted]
  return next && fits(next) ? next : 'F16'
}
