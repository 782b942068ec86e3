import { rowsOf, type Weight } from '../../tensor/frozen-weight.ts'
import type { OnnxBackend } from './backend.ts'
import { widened } from './frozen.ts'
import { float, registerFused } from './kernel.ts'
import type { Value } from './recorder.ts'
import { sliced } from './shape.ts'

/** Elements of a tile: small enough that every pass over it stays in the last cache, and large enough for two threads. */
const tileElements = 2 ** 20

/** LoRAPrune's importance of a weight, summed over its rows or columns, tile by tile. */
export function registerFusedImportance(): void {
  registerFused('GroupImportance', ({ inputs, attributes: { weight, scale, power, along }, backend }) => {
    const { graph } = backend
    const [a, b, gradientA, gradientB] = [inputs.a!, inputs.b!, inputs.gradientA!, inputs.gradientB!].map((each) =>
      float(backend, each),
    ) as [Value, Value, Value, Value]
    const [rank, columns] = a.shape as [number, number]
    const outputs = b.shape[0]!
    // g_hat = [gB, B - gB] [A; gA]
    const rest = graph.node('Sub', [b, gradientB], 'float32', b.shape)
    const left = graph.node('Concat', [gradientB, rest], 'float32', [outputs, 2 * rank], { axis: 1 })
    const right = graph.node('Concat', [a, gradientA], 'float32', [2 * rank, columns], { axis: 0 })
    const sums: Value[] = []
    const tile = Math.max(1, Math.floor(tileElements / columns))
    for (let start = 0; start < outputs; start += tile) {
      const rows = Math.min(tile, outputs - start)
      const shape = [rows, columns]
      const part = (value: Value) =>
        rows === outputs ? value : sliced(value, [start, 0], [rows, value.shape[1]!], backend)
      const base = tileOf(weight, start, rows, backend)
      // A Gemm that adds the weight would first copy it, with one thread.
      const settings = { alpha: { float: scale } }
      const lowRank = graph.node('FusedMatMul', [part(b), a], 'float32', shape, settings, 'com.microsoft')
      const merged = graph.node('Add', [lowRank, base], 'float32', shape)
      const change = graph.node('MatMul', [part(left), right], 'float32', shape)
      const product = graph.node('Mul', [change, merged], 'float32', shape)
      const importance =
        power === 1
          ? graph.node('Abs', [product], 'float32', shape)
          : graph.node('Mul', [product, product], 'float32', shape)
      const [axis, size] = along === 'rows' ? [1, rows] : [0, columns]
      sums.push(graph.node('ReduceSum', [importance, graph.ints(axis)], 'float32', [size], { keepdims: 0 }))
    }
    if (sums.length === 1) return backend.output(sums[0]!)
    return backend.output(
      along === 'rows'
        ? graph.node('Concat', sums, 'float32', [outputs], { axis: 0 })
        : graph.node('Sum', sums, 'float32', [columns]),
    )
  })
}

function tileOf(weight: Weight, start: number, rows: number, backend: OnnxBackend): Value {
  if (!('dataId' in weight)) return widened(rowsOf(weight, start, rows), backend)
  const value = float(backend, weight)
  return rows === weight.shape[0] ? value : sliced(value, [start, 0], [rows, weight.shape[1]!], backend)
}
