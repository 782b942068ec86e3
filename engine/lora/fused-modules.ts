import type { LinearName, LinearSpec } from '../models/family.ts'
import type { ModelConfig } from '../models/model-config.ts'
import { familyOf } from '../models/registry.ts'
import { linearsOf } from '../models/tensors.ts'
import type { PairValues } from './adapter.ts'
import type { AdapterConfig } from './peft-config.ts'

/** The two factors of one module's update, row-major. */
export interface LowRankMatrices extends PairValues {
  rank: number
  inputs: number
  outputs: number
}

/**
 * The pairs of linear layers that are stored as one module: each has all of A, and its own rows of B.
 *
 * @param linears in the order of their rows
 */
export function splitPair(
  { a, b, rank }: LowRankMatrices,
  linears: readonly LinearSpec[],
): Record<LinearName, PairValues> {
  let first = 0
  return Object.fromEntries(
    linears.map(({ name, outputs }) => {
      const rows = b.subarray(first * rank, (first + outputs) * rank)
      first += outputs
      return [name, { a, b: linears.length === 1 ? b : rows.slice() }]
    }),
  )
}

/**
 * An adapter's pairs by the modules of the model. Linear layers that are one module have pairs of their own here: their As are
 * put above each other and their Bs along the diagonal, which is the same update at a rank that is their ranks' sum.
 *
 * @returns the pairs, and ranks and alphas of modules that differ from the adapter's
 */
export function fusedPairs(
  adapter: AdapterConfig & { matrices: ReadonlyMap<string, LowRankMatrices> },
  config: ModelConfig,
): { pairs: ModulePair[]; ranks: Record<string, number>; alphas: Record<string, number> } {
  const ranks: Record<string, number> = {}
  const alphas: Record<string, number> = {}
  const pairs = config.layers.flatMap((_, layer) => {
    const sizes = new Map(linearsOf(config, layer).map((linear) => [linear.name, linear]))
    return Object.entries(familyOf(config).modules).flatMap(([path, names]) => {
      const whole = adapter.matrices.get(matrixKey(layer, names))
      if (whole) return [{ layer, path, ...whole }]
      const parts = names.map((name) => adapter.matrices.get(matrixKey(layer, [name])))
      if (parts.every((part) => part === undefined)) return []
      const { inputs } = sizes.get(names[0]!)!
      const none = { a: new Float32Array(0), b: new Float32Array(0), rank: 0, inputs }
      const fused = diagonal(parts.map((part, i) => part ?? { ...none, outputs: sizes.get(names[i]!)!.outputs }))
      const module = moduleName(path)
      const grown = fused.rank / adapter.rank
      ranks[module] = fused.rank
      alphas[module] = adapter.alpha * (adapter.rankStabilised ? Math.sqrt(grown) : grown)
      return [{ layer, path, ...fused }]
    })
  })
  return { pairs, ranks, alphas }
}

function diagonal(parts: readonly LowRankMatrices[]): LowRankMatrices {
  const sum = (of: (part: LowRankMatrices) => number) => parts.reduce((total, part) => total + of(part), 0)
  const { inputs } = parts[0]!
  const [rank, outputs] = [sum((part) => part.rank), sum((part) => part.outputs)]
  const a = new Float32Array(rank * inputs)
  const b = new Float32Array(outputs * rank)
  let [row, column] = [0, 0]
  for (const part of parts) {
    a.set(part.a, column * inputs)
    for (let i = 0; i < part.outputs; i++)
      b.set(part.b.subarray(i * part.rank, (i + 1) * part.rank), (row + i) * rank + column)
    row += part.outputs
    column += part.rank
  }
  return { a, b, rank, inputs, outputs }
}

/** A module's pair as PEFT writes it. */
interface ModulePair extends LowRankMatrices {
  layer: number
  /** Of the module within its block. */
  path: string
}

/** Keys of an adapter's matrices: "layers.0.q", and "layers.0.q+k+v" where several linear layers are one module. */
export const matrixKey = (layer: number, linears: readonly LinearName[]) => `layers.${layer}.${linears.join('+')}`

/** The last part of a module's path, as PEFT's target_modules has it: "q_proj". */
export const moduleName = (path: string): string => path.split('.').at(-1)!
