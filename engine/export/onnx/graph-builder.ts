import {
  type AttributeValue,
  type ElementType,
  elementType,
  type GraphConstant,
  type GraphNode,
} from '../../backends/onnx/model-proto.ts'

/** Gathers the nodes and small constants of an ONNX graph; values go by their names. */
export class GraphBuilder {
  readonly nodes: GraphNode[] = []
  readonly constants: GraphConstant[] = []
  readonly #known = new Map<string, string>()
  #next = 0

  /** Appends an operator with one output. */
  node(operator: string, inputs: readonly string[], attributes: Record<string, AttributeValue> = {}, name?: string) {
    return this.nodesOf(operator, inputs, 1, attributes, name === undefined ? undefined : [name])[0]!
  }

  /** Appends an operator with several outputs. */
  nodesOf(
    operator: string,
    inputs: readonly string[],
    count: number,
    attributes: Record<string, AttributeValue> = {},
    names?: readonly string[],
  ): string[] {
    const outputs = names ?? Array.from({ length: count }, () => `${operator}_${this.#next++}`)
    this.nodes.push({ operator, domain: '', inputs: [...inputs], outputs: [...outputs], attributes })
    return [...outputs]
  }

  cast = (value: string, type: ElementType): string => this.node('Cast', [value], { to: elementType[type] })

  /** A list of whole numbers. */
  ints(...values: number[]): string {
    return this.#constant('int64', [values.length], values, () => BigInt64Array.from(values, BigInt))
  }

  int(value: number): string {
    return this.#constant('int64', [], [value], () => BigInt64Array.of(BigInt(value)))
  }

  float(value: number): string {
    return this.#constant('float32', [], [value], () => Float32Array.of(value))
  }

  floats(values: readonly number[], shape: readonly number[]): string {
    return this.#constant('float32', shape, values, () => Float32Array.from(values))
  }

  #constant(
    type: ElementType,
    shape: readonly number[],
    values: readonly number[],
    make: () => ArrayBufferView,
  ): string {
    const key = `${type}[${shape}]:${values}`
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const name = `constant_${this.#next++}`
    const { buffer, byteOffset, byteLength } = make()
    this.constants.push({ name, type, shape, data: new Uint8Array(buffer, byteOffset, byteLength) })
    this.#known.set(key, name)
    return name
  }
}
