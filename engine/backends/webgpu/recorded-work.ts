import { type Tensor, tf } from '../../tensor/tf.ts'
import type { RecordedWork, StepValues, WorkResult } from '../extras.ts'
import { bufferOf, type CardBackend, readBuffer, readStaging, stagingOf } from './backend.ts'
import { weightsOf } from './weights.ts'

/** A dispatch as the pass of a command encoder is told it. */
interface Dispatch {
  pipeline: GPUComputePipeline
  bindGroup: GPUBindGroup
  groups: Parameters<GPUComputePassEncoder['dispatchWorkgroups']>
}

/** Whatever is recorded between two sends; TensorFlow.js sends after some dispatches otherwise. */
const never = Number.MAX_SAFE_INTEGER
const sendsAfter = 'WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE'

/**
 * Does work once, and remembers its dispatches with all that they bind: pipelines, groups of bindings, and the buffers of what
 * was made on the way, which nobody else gets as long as they are remembered. The host spends a few microseconds on a dispatch
 * that is sent again, where an operation of TensorFlow.js takes it some fifty.
 *
 * @param inputs tensors whose values are other ones the next time; the caller keeps them. What else the work reads must stay as
 *   it is, and its shapes may not depend on the values of the inputs
 */
export function recordWork(backend: CardBackend, inputs: readonly Tensor[], work: () => WorkResult): RecordedWork {
  const store = weightsOf(backend)
  const targets = inputs.map((input) => bufferOf(backend, input))
  backend.flush()
  const { taken } = store
  const recorder = new Recorder(backend)
  const sent = tf.env().getNumber(sendsAfter)
  tf.env().set(sendsAfter, never)
  backend.isRecordingWork = true
  let made
  try {
    made = work()
  } finally {
    backend.isRecordingWork = false
    tf.env().set(sendsAfter, sent)
  }
  const { result, beside = result } = made
  const output = bufferOf(backend, result)
  // Where weights had to make room for others, what was recorded reads buffers that are gone.
  const isWhole = recorder.isWhole() && store.taken === taken
  const kept = isWhole ? recorder.keep() : null
  const first = new Float32Array(readBuffer(backend, output))
  const isValid = () => kept !== null && store.taken === taken
  return {
    first,
    again(values) {
      if (!isValid()) return null
      for (const [i, buffer] of targets.entries()) write(backend.device, buffer, values[i]!)
      return new Float32Array(recorder.again(output))
    },
    readBeside: () => new Float32Array(readBuffer(backend, bufferOf(backend, beside))),
    dispose() {
      kept?.release()
      result.dispose()
      if (beside !== result) beside.dispose()
    },
  }
}

const write = ({ queue }: GPUDevice, buffer: GPUBuffer, { buffer: of, byteOffset, byteLength }: StepValues) =>
  queue.writeBuffer(buffer, 0, of as ArrayBuffer, byteOffset, byteLength)

/** Stands in for the command encoder of the back end, passes everything on and remembers dispatches. */
class Recorder {
  readonly #backend: CardBackend
  readonly #encoder: GPUCommandEncoder
  readonly #dispatches: Dispatch[] = []
  #next: Commands | null = null

  constructor(backend: CardBackend) {
    this.#backend = backend
    const real = backend.device.createCommandEncoder()
    this.#encoder = {
      beginComputePass: (descriptor?: GPUComputePassDescriptor) => this.#passOf(real.beginComputePass(descriptor)),
      // Values of constants are uploaded once.
      copyBufferToBuffer: real.copyBufferToBuffer.bind(real),
      finish: () => real.finish(),
    } as unknown as GPUCommandEncoder
    backend.commandEncoder = this.#encoder
  }

  #passOf(real: GPUComputePassEncoder): GPUComputePassEncoder {
    let pipeline: GPUComputePipeline | undefined
    let bindGroup: GPUBindGroup | undefined
    return {
      setPipeline: (next: GPUComputePipeline) => real.setPipeline((pipeline = next)),
      setBindGroup: (index: number, next: GPUBindGroup) => real.setBindGroup(index, (bindGroup = next)),
      dispatchWorkgroups: (...groups: Dispatch['groups']) => {
        this.#dispatches.push({ pipeline: pipeline!, bindGroup: bindGroup!, groups })
        real.dispatchWorkgroups(...groups)
      },
      end: () => real.end(),
    } as unknown as GPUComputePassEncoder
  }

  /** Whether nothing was sent since: what was freed then is in use elsewhere. */
  isWhole(): boolean {
    return this.#backend.commandEncoder === this.#encoder
  }

  /** Keeps the buffers of what was freed on the way from going back to the pool. */
  keep(): { release(): void } {
    const backend = this.#backend
    const { tensorDataPendingDisposal: tensors, uniformPendingDisposal: uniforms } = backend
    backend.tensorDataPendingDisposal = []
    backend.uniformPendingDisposal = []
    return {
      release: () => {
        for (const id of tensors) {
          backend.releaseResource(id)
          backend.tensorMap.delete(id)
        }
        for (const buffer of uniforms) backend.bufferManager.releaseBuffer(buffer)
        if (this.#next) backend.bufferManager.releaseBuffer(this.#next.staging)
      },
    }
  }

  /**
   * Sends all of it again, and waits for a buffer of it. While the card computes, the commands for the next time are put
   * together: they are the same ones, and the host would be milliseconds late with them.
   */
  again(output: GPUBuffer): ArrayBuffer {
    const backend = this.#backend
    backend.flush()
    const { commands, staging } = this.#next ?? this.#encode(output)
    backend.device.queue.submit([commands])
    this.#next = this.#encode(output, staging)
    backend.dispatches += this.#dispatches.length
    return readStaging(backend, staging)
  }

  #encode(output: GPUBuffer, staging = stagingOf(this.#backend, output.size)): Commands {
    const encoder = this.#backend.device.createCommandEncoder()
    const pass = encoder.beginComputePass()
    let set: GPUComputePipeline | undefined
    for (const { pipeline, bindGroup, groups } of this.#dispatches) {
      if (pipeline !== set) pass.setPipeline((set = pipeline))
      pass.setBindGroup(0, bindGroup)
      pass.dispatchWorkgroups(...groups)
    }
    pass.end()
    encoder.copyBufferToBuffer(output, 0, staging, 0, output.size)
    return { commands: encoder.finish(), staging }
  }
}

/** Everything that is sent for once, and where its result can be read. */
interface Commands {
  commands: GPUCommandBuffer
  staging: GPUBuffer
}
