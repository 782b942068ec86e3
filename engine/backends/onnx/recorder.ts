import {
  type AttributeValue,
  type ElementType,
  elementType,
  type GraphConstant,
  type GraphNode,
  type GraphValue,
  type OnnxGraph,
} from './model-proto.ts'
import type { HostArray } from './runtime.ts'

/** A value of the graph that is being recorded. It must not be used after that graph has run. */
export interface Value {
  readonly id: number
  readonly type: ElementType
  readonly shape: readonly number[]
}

interface RecordedNode {
  operator: string
  domain: '' | 'com.microsoft'
  inputs: readonly (Value | null)[]
  outputs: readonly Value[]
  attributes: Record<string, AttributeValue>
}

export interface RecordedInput {
  value: Value
  data: HostArray
}

export const sizeOf = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1)

/**
 * The pending graph. Recording appends nodes and computes nothing. `key` describes its structure alone (operators, attributes,
 * shapes, wiring), not the data fed into it, so that the same block of another layer or step finds its compiled session.
 */
export class Recorder {
  readonly #nodes: RecordedNode[] = []
  readonly #lines: string[] = []
  readonly #inputs: RecordedInput[] = []
  readonly #inputOf = new Map<HostArray, RecordedInput[]>()
  readonly #constants = new Map<string, GraphConstant & { value: Value }>()
  readonly #calls = new Map<string, Value[]>()
  readonly #producer = new Map<number, RecordedNode>()
  #nextId = 0

  get length(): number {
    return this.#nodes.length
  }

  get inputs(): readonly RecordedInput[] {
    return this.#inputs
  }

  #value(type: ElementType, shape: readonly number[]): Value {
    return { id: this.#nextId++, type, shape }
  }

  /** Makes an array an input. It must not change before the graph has run. The same array in the same shape is one input. */
  feed(data: HostArray, type: ElementType, shape: readonly number[]): Value {
    const known = this.#inputOf.get(data)
    const same = known?.find(
      ({ value }) =>
        value.type === type && value.shape.length === shape.length && value.shape.every((n, i) => n === shape[i]),
    )
    if (same) return same.value
    const input = { value: this.#value(type, shape), data }
    this.#inputs.push(input)
    if (known) known.push(input)
    else this.#inputOf.set(data, [input])
    this.#lines.push(`${input.value.id}=${type}[${shape}]`)
    return input.value
  }

  /** A small constant that belongs to the structure: axes, shapes, pads, fixed factors. */
  constant(
    type: 'int64' | 'float32' | 'int32' | 'uint16' | 'bool',
    values: readonly number[],
    shape: readonly number[],
  ): Value {
    const key = `${type}[${shape}]:${values}`
    const known = this.#constants.get(key)
    if (known) return known.value
    const bytes =
      type === 'int64'
        ? new Uint8Array(BigInt64Array.from(values, BigInt).buffer)
        : type === 'float32'
          ? new Uint8Array(Float32Array.from(values).buffer)
          : type === 'int32'
            ? new Uint8Array(Int32Array.from(values).buffer)
            : type === 'uint16'
              ? new Uint8Array(Uint16Array.from(values).buffer)
              : Uint8Array.from(values)
    const value = this.#value(type, shape)
    this.#constants.set(key, { name: `v${value.id}`, type, shape, data: bytes, value })
    this.#lines.push(`${value.id}=${key}`)
    return value
  }

  readonly ints = (...values: number[]) => this.constant('int64', values, [values.length])
  readonly scalar = (value: number) => this.constant('float32', [value], [])

  /** Appends an operator with one output. */
  node(
    operator: string,
    inputs: readonly (Value | null)[],
    type: ElementType,
    shape: readonly number[],
    attributes: Record<string, AttributeValue> = {},
    domain: '' | 'com.microsoft' = '',
  ): Value {
    return this.nodes(operator, inputs, [{ type, shape }], attributes, domain)[0]!
  }

  /** Appends an operator with several outputs. */
  nodes(
    operator: string,
    inputs: readonly (Value | null)[],
    outputs: readonly { type: ElementType; shape: readonly number[] }[],
    attributes: Record<string, AttributeValue> = {},
    domain: '' | 'com.microsoft' = '',
  ): Value[] {
    const types = outputs.map(({ type, shape }) => `${type}[${shape}]`)
    const call = `${operator}(${inputs.map((value) => value?.id)})${JSON.stringify(attributes)}${types}`
    // The same operator on the same inputs is one node: a gradient often begins by repeating its forward pass.
    const known = this.#calls.get(call)
    if (known) return known
    const values = outputs.map(({ type, shape }) => this.#value(type, shape))
    const node = { operator, domain, inputs, outputs: values, attributes }
    this.#calls.set(call, values)
    this.#nodes.push(node)
    for (const value of values) this.#producer.set(value.id, node)
    this.#lines.push(call)
    return values
  }

  /** The value in another shape of the same size. */
  reshape(value: Value, shape: readonly number[]): Value {
    if (value.shape.length === shape.length && value.shape.every((size, i) => size === shape[i])) return value
    return this.node('Reshape', [value, this.ints(...shape)], value.type, shape, { allowzero: 1 })
  }

  cast(value: Value, type: ElementType): Value {
    if (value.type === type) return value
    return this.node('Cast', [value], type, value.shape, { to: elementType[type] })
  }

  /** Whether a node computes the value. Inputs and constants cannot be outputs of a graph. */
  isComputed(value: Value): boolean {
    return this.#producer.has(value.id)
  }

  key(outputs: readonly Value[]): string {
    return `${this.#lines.join('\n')}\n>${outputs.map((value) => value.id)}`
  }

  /** The part of the graph that the outputs need, and the ids of the inputs that it reads. */
  graph(outputs: readonly Value[]): { graph: OnnxGraph; inputIds: number[] } {
    const needed = new Set<RecordedNode>()
    const read = new Set<number>()
    const visit = outputs.map((value) => value.id)
    while (visit.length > 0) {
      const id = visit.pop()!
      if (read.has(id)) continue
      read.add(id)
      const node = this.#producer.get(id)
      if (!node || needed.has(node)) continue
      needed.add(node)
      for (const input of node.inputs) if (input) visit.push(input.id)
    }
    const name = (value: Value) => `v${value.id}`
    const info = (value: Value): GraphValue => ({ name: name(value), type: value.type, shape: value.shape })
    const inputs = this.#inputs.filter(({ value }) => read.has(value.id))
    const nodes: GraphNode[] = this.#nodes
      .filter((node) => needed.has(node))
      .map((node) => ({
        operator: node.operator,
        domain: node.domain,
        inputs: node.inputs.map((value) => (value ? name(value) : '')),
        outputs: node.outputs.map(name),
        attributes: node.attributes,
      }))
    return {
      graph: {
        nodes,
        inputs: inputs.map(({ value }) => info(value)),
        constants: [...this.#constants.values()].filter(({ value }) => read.has(value.id)),
        outputs: outputs.map(info),
      },
      inputIds: inputs.map(({ value }) => value.id),
    }
  }
}
