import { createRequire } from 'node:module'
import { SecateurError } from '../../shared/errors.ts'
import { refuseTelemetry } from '../../shared/no-telemetry.ts'
import { type ElementType, encodeModel, type OnnxGraph } from './model-proto.ts'

/** The arrays that hold a value of a graph. 16-bit floats travel as their bits. */
export type HostArray = Float32Array | Int32Array | Uint8Array | Int8Array | Uint16Array | BigInt64Array

/** What ONNX Runtime's addon reads a value from and writes it into. */
export interface HostValue {
  type: ElementType
  dims: readonly number[]
  data: HostArray
  location: 'cpu'
}

interface NativeSession {
  loadModel(buffer: ArrayBufferLike, offset: number, length: number, options: Record<string, unknown>): void
  run(feeds: Record<string, HostValue>, fetches: Record<string, unknown>, options: object): Record<string, HostValue>
  dispose(): void
}
interface Addon {
  binding: { InferenceSession: new () => NativeSession }
  initOrt(): void
}

let addon: Addon | undefined

/**
 * ONNX Runtime's own addon below its promise-based wrapper: the wrapper only defers the same synchronous call to the next
 * tick, and kernels that must return data (`dataSync`, gradients that flush) cannot wait for a tick. The package is
 * pinned to an exact version because of this import.
 *
 * @throws SecateurError where the package holds no addon for this platform.
 */
function loadAddon(): Addon {
  if (addon) return addon
  refuseTelemetry()
  try {
    const loaded = createRequire(import.meta.url)('onnxruntime-node/dist/binding.js') as Addon
    loaded.initOrt()
    addon = loaded
    return loaded
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new SecateurError(
      'unsupported',
      `ONNX Runtime could not be loaded on ${process.platform} ${process.arch}: ${reason}`,
      { cause },
    )
  }
}

/** A compiled graph. */
export class OnnxSession {
  readonly #session: NativeSession

  constructor(graph: OnnxGraph, threads: number) {
    const model = encodeModel(graph)
    this.#session = new (loadAddon().binding.InferenceSession)()
    this.#session.loadModel(model.buffer, model.byteOffset, model.byteLength, {
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      graphOptimizationLevel: 'all',
      logSeverityLevel: 3,
      // With an arena, every session would keep the most memory that its graph ever needed. Without, they share the allocator.
      enableCpuMemArena: false,
      // With a memory pattern, a graph's memory is one block. Blocks of many sizes that come and go at every step, among
      // arrays that stay, leave holes that nothing fits into, and the process grows.
      enableMemPattern: false,
      extra: {
        // Every session has its own threads. Those of one session must not spin while the next one computes.
        session: { force_spinning_stop: '1' },
        // Do not let constant folding store large fills in the session: compute them when the graph runs.
        optimization: { constant_folding_max_output_size_in_bytes: '4096' },
      },
    })
  }

  /** Computes the outputs into the arrays given. */
  run(feeds: Record<string, HostValue>, fetches: Record<string, HostValue>): void {
    this.#session.run(feeds, fetches, {})
  }

  dispose(): void {
    this.#session.dispose()
  }
}
