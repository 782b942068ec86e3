import protobuf from 'protobufjs'

/** The part of onnx.proto3 (onnx/onnx, Apache-2.0) that a recorded graph needs; field numbers are the standard's. */
const root = protobuf.Root.fromJSON({
  nested: {
    OperatorSetId: { fields: { domain: { type: 'string', id: 1 }, version: { type: 'int64', id: 2 } } },
    Tensor: {
      fields: {
        dims: { rule: 'repeated', type: 'int64', id: 1 },
        dataType: { type: 'int32', id: 2 },
        name: { type: 'string', id: 8 },
        rawData: { type: 'bytes', id: 9 },
      },
    },
    Attribute: {
      fields: {
        name: { type: 'string', id: 1 },
        f: { type: 'float', id: 2 },
        i: { type: 'int64', id: 3 },
        s: { type: 'bytes', id: 4 },
        floats: { rule: 'repeated', type: 'float', id: 7 },
        ints: { rule: 'repeated', type: 'int64', id: 8 },
        type: { type: 'int32', id: 20 },
      },
    },
    Node: {
      fields: {
        input: { rule: 'repeated', type: 'string', id: 1 },
        output: { rule: 'repeated', type: 'string', id: 2 },
        opType: { type: 'string', id: 4 },
        attribute: { rule: 'repeated', type: 'Attribute', id: 5 },
        domain: { type: 'string', id: 7 },
      },
    },
    Dimension: { fields: { dimValue: { type: 'int64', id: 1 } } },
    Shape: { fields: { dim: { rule: 'repeated', type: 'Dimension', id: 1 } } },
    TensorType: { fields: { elemType: { type: 'int32', id: 1 }, shape: { type: 'Shape', id: 2 } } },
    Type: { fields: { tensorType: { type: 'TensorType', id: 1 } } },
    ValueInfo: { fields: { name: { type: 'string', id: 1 }, type: { type: 'Type', id: 2 } } },
    Graph: {
      fields: {
        node: { rule: 'repeated', type: 'Node', id: 1 },
        name: { type: 'string', id: 2 },
        initializer: { rule: 'repeated', type: 'Tensor', id: 5 },
        input: { rule: 'repeated', type: 'ValueInfo', id: 11 },
        output: { rule: 'repeated', type: 'ValueInfo', id: 12 },
      },
    },
    Model: {
      fields: {
        irVersion: { type: 'int64', id: 1 },
        producerName: { type: 'string', id: 2 },
        graph: { type: 'Graph', id: 7 },
        opsetImport: { rule: 'repeated', type: 'OperatorSetId', id: 8 },
      },
    },
  },
})
const modelType = root.lookupType('Model')

/** Element types of the ONNX standard that the back end feeds, computes with or returns. */
export const elementType = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  bfloat16: 16,
} as const
export type ElementType = keyof typeof elementType

export type AttributeValue = number | string | { float: number } | { floats: number[] } | number[]

export interface GraphNode {
  operator: string
  domain: '' | 'com.microsoft'
  inputs: string[]
  outputs: string[]
  attributes: Record<string, AttributeValue>
}
export interface GraphValue {
  name: string
  type: ElementType
  shape: readonly number[]
}
export interface GraphConstant extends GraphValue {
  bytes: Uint8Array
}
export interface OnnxGraph {
  nodes: GraphNode[]
  inputs: GraphValue[]
  constants: GraphConstant[]
  outputs: GraphValue[]
}

function attributeMessage(name: string, value: AttributeValue) {
  if (typeof value === 'number') return { name, type: 2, i: value }
  if (typeof value === 'string') return { name, type: 3, s: new TextEncoder().encode(value) }
  if (Array.isArray(value)) return { name, type: 7, ints: value }
  if ('float' in value) return { name, type: 1, f: value.float }
  return { name, type: 6, floats: value.floats }
}

const valueInfo = ({ name, type, shape }: GraphValue) => ({
  name,
  type: { tensorType: { elemType: elementType[type], shape: { dim: shape.map((dimValue) => ({ dimValue })) } } },
})

/** The bytes of an ONNX model (opset 26 and com.microsoft 1) that holds one graph. */
export function encodeModel(graph: OnnxGraph): Uint8Array {
  return modelType
    .encode(
      modelType.create({
        irVersion: 13,
        producerName: 'secateur',
        opsetImport: [
          { domain: '', version: 26 },
          { domain: 'com.microsoft', version: 1 },
        ],
        graph: {
          name: 'recorded',
          node: graph.nodes.map((node) => ({
            input: node.inputs,
            output: node.outputs,
            opType: node.operator,
            domain: node.domain,
            attribute: Object.entries(node.attributes).map(([name, value]) => attributeMessage(name, value)),
          })),
          initializer: graph.constants.map(({ name, type, shape, bytes }) => ({
            name,
            dims: shape,
            dataType: elementType[type],
            rawData: bytes,
          })),
          input: graph.inputs.map(valueInfo),
          output: graph.outputs.map(valueInfo),
        },
      }),
    )
    .finish()
}
