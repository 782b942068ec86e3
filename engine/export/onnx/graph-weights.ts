import type { DecoderConfig } from '../../models/decoder-config.ts'
import type { LinearName, TensorSpec } from '../../models/family.ts'
import { linearsOf } from '../../models/tensors.ts'
import type { WeightType } from '../../tensor/stored-tensor.ts'
import type { GraphBuilder } from './graph-builder.ts'

/** A tensor of the checkpoint as the graph has it, under the same name. */
export interface GraphWeight {
  spec: TensorSpec
  type: WeightType
  /** What is added to its numbers: norms of 1 + w are written with their 1. */
  added: 0 | 1
}

/** The weights of a decoder's graph, and what is computed with them: linear layers and norms. */
export class GraphWeights {
  readonly #graph: GraphBuilder
  readonly #config: DecoderConfig
  readonly #weights = new Map<string, GraphWeight>()

  constructor(graph: GraphBuilder, config: DecoderConfig, weights: readonly GraphWeight[]) {
    this.#graph = graph
    this.#config = config
    for (const weight of weights) this.#weights.set(keyOf(weight.spec), weight)
  }

  /** Linear layers over one input, however they are stored. */
  linears(x: string, layer: number, wanted: readonly LinearName[]): Partial<Record<LinearName, string>> {
    const graph = this.#graph
    const specs = linearsOf(this.#config, layer)
    const found: Partial<Record<LinearName, string>> = {}
    for (const weight of this.#weights.values()) {
      const { role, name } = weight.spec
      if (role.part !== 'weight' || role.layer !== layer || !wanted.includes(role.linears[0]!)) continue
      const bias = this.#weights.get(`bias ${layer} ${role.linears.join('+')}`)
      const inputs = [x, this.widened(name, weight), ...(bias ? [bias.spec.name] : [])]
      const product = graph.node('Gemm', inputs, { transB: 1 })
      const sizes = role.linears.map((linear) => specs.find((spec) => spec.name === linear)!.outputs)
      const parts =
        sizes.length === 1
          ? [product]
          : graph.nodesOf('Split', [product, graph.ints(...sizes)], sizes.length, { axis: -1 })
      for (const [index, linear] of role.linears.entries()) found[linear] = parts[index]!
    }
    return found
  }

  /** x / rms(x) * weight, over the last axis. */
  norm(x: string, name: string, layer: number | null): string {
    const graph = this.#graph
    const squares = graph.node('ReduceMean', [graph.node('Mul', [x, x]), graph.ints(-1)], { keepdims: 1 })
    const size = graph.node('Sqrt', [graph.node('Add', [squares, graph.float(this.#config.normEpsilon)])])
    return graph.node('Mul', [graph.node('Div', [x, size]), this.weight('norm', layer, name).spec.name])
  }

  weight(part: string, layer: number | null, name = ''): GraphWeight {
    const weight = this.#weights.get(`${part} ${layer} ${name}`)
    if (!weight) throw new RangeError(`the model has no ${part} "${name}" in layer ${layer}`)
    return weight
  }

  /** In the type that is computed in. */
  widened(value: string, { type }: GraphWeight): string {
    return type === 'float32' ? value : this.#graph.cast(value, 'float32')
  }
}

function keyOf({ role }: TensorSpec): string {
  const name = 'linears' in role ? role.linears.join('+') : 'norm' in role ? role.norm : ''
  return `${role.part} ${role.layer} ${name}`
}
