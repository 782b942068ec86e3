import type { DecoderConfig } from '../../models/decoder-config.ts'
import { rotaryFrequencies } from '../../ops/rotary.ts'
import type { GraphBuilder } from './graph-builder.ts'

const forbidden = -1e9

/** Cosines and sines of the positions [batch, 1, length, headSize / 2]. */
interface Rotation {
  cosine: string
  sine: string
}

/** What a decoder's graph computes of positions: how heads are turned, and where a query may look. Each is made once. */
export class GraphPositions {
  readonly #graph: GraphBuilder
  readonly #config: DecoderConfig
  readonly #length: string
  readonly #rotations = new Map<boolean, Rotation>()
  readonly #masks = new Map<boolean, string>()

  /** @param length [length], a list of one number */
  constructor(graph: GraphBuilder, config: DecoderConfig, length: string) {
    this.#graph = graph
    this.#config = config
    this.#length = length
  }

  /** @param x [batch, heads, length, headSize], whose halves turn against each other */
  rotate(x: string, sliding: boolean): string {
    const graph = this.#graph
    const { cosine, sine } = this.#rotation(sliding)
    const [first, second] = graph.nodesOf('Split', [x], 2, { axis: -1, num_outputs: 2 })
    const times = (one: string, other: string) => graph.node('Mul', [one, other])
    return graph.node(
      'Concat',
      [
        graph.node('Sub', [times(first!, cosine), times(second!, sine)]),
        graph.node('Add', [times(second!, cosine), times(first!, sine)]),
      ],
      { axis: -1 },
    )
  }

  /** Added to scores: 0 where a query may look, [batch, 1, length, past + length]. */
  mask(sliding: boolean): string {
    const known = this.#masks.get(sliding)
    if (known !== undefined) return known
    const graph = this.#graph
    const keys = graph.node('Squeeze', [graph.node('Shape', ['attention_mask'], { start: 1, end: 2 }), graph.ints(0)])
    const queries = graph.node('Squeeze', [this.#length, graph.ints(0)])
    const [zero, one] = [graph.int(0), graph.int(1)]
    const key = graph.node('Range', [zero, keys, one])
    const query = graph.node('Unsqueeze', [
      graph.node('Range', [graph.node('Sub', [keys, queries]), keys, one]),
      graph.ints(1),
    ])
    let may = graph.node('LessOrEqual', [key, query])
    if (sliding) {
      const oldest = graph.node('Sub', [query, graph.int(this.#config.slidingWindow!)])
      may = graph.node('And', [may, graph.node('Greater', [key, oldest])])
    }
    const present = graph.node('Unsqueeze', [graph.cast('attention_mask', 'bool'), graph.ints(1, 2)])
    const mask = graph.node('Where', [graph.node('And', [may, present]), graph.float(0), graph.float(forbidden)])
    this.#masks.set(sliding, mask)
    return mask
  }

  #rotation(sliding: boolean): Rotation {
    const known = this.#rotations.get(sliding)
    if (known) return known
    const graph = this.#graph
    const { headSize, ropeTheta, ropeScaling, slidingRopeTheta } = this.#config
    const own = sliding ? slidingRopeTheta : null
    const frequencies = rotaryFrequencies(headSize, own ?? ropeTheta, own === null ? ropeScaling : null)
    const positions = graph.node('Unsqueeze', [graph.cast('position_ids', 'float32'), graph.ints(1, 3)])
    const angles = graph.node('Mul', [positions, graph.floats(frequencies, [1, 1, 1, headSize / 2])])
    const rotation = { cosine: graph.node('Cos', [angles]), sine: graph.node('Sin', [angles]) }
    this.#rotations.set(sliding, rotation)
    return rotation
  }
}
