import protobuf from 'protobufjs'

/** The part of onnx.proto3 (onnx/onnx, Apache-2.0) that recorded graphs and exported models need; field numbers are the standard's. */
const root = protobuf.Root.fromJSON({
  nested: {
    OperatorSetId: { fields: { domain: { type: 'string', id: 1 }, version: { type: 'int64', id: 2 } } },
    Entry: { fields: { key: { type: 'string', id: 1 }, value: { type: 'string', id: 2 } } },
    Tensor: {
      fields: {
        dims: { rule: 'repeated', type: 'int64', id: 1 },
        dataType: { type: 'int32', id: 2 },
        name: { type: 'string', id: 8 },
        rawData: { type: 'bytes', id: 9 },
        externalData: { rule: 'repeated', type: 'Entry', id: 13 },
        dataLocation: { type: 'int32', id: 14 },
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
    Dimension: { fields: { dimValue: { type: 'int64', id: 1 }, dimParam: { type: 'string', id: 2 } } },
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
        producerVersion: { type: 'string', id: 3 },
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
  /** A size that is not known before the graph runs has a name. */
  shape: readonly (number | string)[]
}
/** Where the numbers of a constant lie in a file beside the model. */
export interface ExternalData {
  file: string
  offset: number
  bytes: number
}
export interface GraphConstant {
  name: string
  type: ElementType
  shape: readonly number[]
  data: Uint8Array | ExternalData
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
  type: {
    tensorType: {
      elemType: elementType[type],
      shape: { dim: shape.map((size) => (typeof size === 'number' ? { dimValue: size } : { dimParam: size })) },
    },
  },
})

const externalFields = ({ file, offset, bytes }: ExternalData) => ({
  dataLocation: 1,
  externalData: Object.entries({ location: file, offset, length: bytes }).map(([key, value]) => ({
    key,
    value: String(value),
  })),
})

/** What a model says of itself beside its graph. */
export interface ModelForm {
  /** Version of the operators, and of the file format that came with it. */
  opset: number
  irVersion: number
  /** Whether operators of ONNX Runtime's own are used. */
  microsoft: boolean
  name: string
  producerVersion?: string
}

const recordedForm: ModelForm = { opset: 26, irVersion: 13, microsoft: true, name: 'recorded' }

/** The bytes of an ONNX model that holds one graph. */
export function encodeModel(graph: OnnxGraph, form: ModelForm = recordedForm): Uint8Array {
  return modelType
    .encode(
      modelType.create({
        irVersion: form.irVersion,
        producerName: 'secateur',
        producerVersion: form.producerVersion,
        opsetImport: [
          { domain: '', version: form.opset },
          ...(form.microsoft ? [{ domain: 'com.microsoft', version: 1 }] : []),
        ],
        graph: {
          name: form.name,
          node: graph.nodes.map((node) => ({
            input: node.inputs,
            output: node.outputs,
            opType: node.operator,
            domain: node.domain,
            attribute: Object.entries(node.attributes).map(([name, value]) => attributeMessage(name, value)),
          })),
          initializer: graph.constants.map(({ name, type, shape, data }) => ({
            name,
            dims: shape,
            dataType: elementType[type],
            ...(data instanceof Uint8Array ? { rawData: data } : externalFields(data)),
          })),
          input: graph.inputs.map(valueInfo),
          output: graph.outputs.map(valueInfo),
        },
      }),
    )
    .finish()
}
