import type * as Package from '@tensorflow/tfjs-backend-webgpu'
import type { Tensor } from '../../tensor/tf.ts'
import type { Card } from './dawn.ts'

/** Private members of the back end of TensorFlow.js that our kernels need. The package is pinned to an exact version. */
interface Internals {
  commandEncoder: GPUCommandEncoder | null
  computePassEncoder: GPUComputePassEncoder | null
  dispatchCountInPass: number
  commandQueueOwnedIds: WeakSet<object>
  tensorDataPendingDisposal: object[]
  releaseResource(dataId: object): void
  uniformPendingDisposal: GPUBuffer[]
}

/** Private members of the pool of buffers of TensorFlow.js. */
interface Pool {
  freeBuffers: Map<string, GPUBuffer[]>
  numFreeBuffers: number
  numBytesAllocated: number
}

type PackageBackend = InstanceType<typeof Package.WebGPUBackend>

/** The back end of TensorFlow.js on a card, with what our own kernels and synchronous code need. */
export type CardBackend = Omit<PackageBackend, keyof Internals> &
  Internals & {
    readonly card: Card
    /** Dispatches that were recorded so far. */
    dispatches: number
    /** Bytes that the host has read so far. */
    bytesRead: number
    /** Whether what is recorded shall be sent in one piece, at its end. */
    isRecordingWork: boolean
    flush(): void
    /** As `flush`, without checking whether the card refused a command. */
    send(): void
  }

/**
 * The back end of TensorFlow.js for WebGPU, made to work in Node.
 *
 * @param load `require` of the module that asks: only the package's CommonJS bundle can be loaded by Node
 */
export function createBackend(card: Card, load: NodeJS.Require): CardBackend {
  // The package registers a back end of its own if navigator.gpu exists when it is loaded, so that is set afterwards; its
  // constructor only checks that it exists.
  const { WebGPUBackend } = load('@tensorflow/tfjs-backend-webgpu') as typeof Package
  Object.defineProperty(globalThis.navigator, 'gpu', { value: {}, configurable: true })

  class NodeBackend extends WebGPUBackend {
    readonly card = card
    dispatches = 0
    bytesRead = 0
    isRecordingWork = false

    /** Reads a tensor without returning to the event loop. */
    override readSync(dataId: object): ReturnType<PackageBackend['readSync']> {
      const data = this.tensorMap.get(dataId)
      if (data.values !== null && data.values !== undefined) return data.values
      if (data.dtype === 'complex64' || data.dtype === 'string' || !data.resource) return super.readSync(dataId)
      const bytes = readBuffer(this as unknown as CardBackend, data.resource as GPUBuffer)
      const size = data.shape.reduce((product, length) => product * length, 1)
      const values =
        data.dtype === 'float32'
          ? new Float32Array(bytes, 0, size)
          : data.dtype === 'bool'
            ? Uint8Array.from(new Int32Array(bytes, 0, size))
            : new Int32Array(bytes, 0, size)
      data.values = values
      return values
    }

    override async read(dataId: object): ReturnType<PackageBackend['read']> {
      const values = await super.read(dataId)
      card.check()
      return values
    }

    override runWebGPUProgram(
      ...call: Parameters<PackageBackend['runWebGPUProgram']>
    ): ReturnType<PackageBackend['runWebGPUProgram']> {
      this.dispatches++
      return super.runWebGPUProgram(...call)
    }

    /**
     * Gives the buffer of what was disposed of back at once, also where commands that are not sent yet read it: whoever gets
     * it next comes after them in the same queue. TensorFlow.js waits until they are sent. What is recorded to be sent again
     * keeps its buffers (see `recordWork`).
     */
    override disposeData(...call: Parameters<PackageBackend['disposeData']>): boolean {
      if (!this.isRecordingWork) (this as unknown as Internals).commandQueueOwnedIds.delete(call[0])
      return super.disposeData(...call)
    }

    /** Submits the recorded work, so that the card computes while the host goes on recording. */
    flush(): void {
      card.check()
      if (!this.isRecordingWork) this.send()
    }

    send(): void {
      const internals = this as unknown as CardBackend
      if (!internals.commandEncoder) return
      this.endComputePassEncoder()
      this.submitQueue()
    }
  }
  return new NodeBackend(card.device, card.info) as unknown as CardBackend
}

/** Gives the card the memory back of buffers that are kept for reuse: work of other shapes has no use for them. */
export function freeUnused(backend: CardBackend): void {
  // Of a card that is lost nothing can be freed, and who disposes of a model after that shall not hear of it.
  backend.send()
  const pool = backend.bufferManager as unknown as Pool
  for (const buffers of pool.freeBuffers.values()) {
    for (const buffer of buffers) {
      pool.numBytesAllocated -= buffer.size
      buffer.destroy()
    }
    pool.numFreeBuffers -= buffers.length
    buffers.length = 0
  }
}

/** The bytes of a buffer on the card. */
export function readBuffer(backend: CardBackend, buffer: GPUBuffer): ArrayBuffer {
  const staging = stagingOf(backend, buffer.size)
  backend.ensureCommandEncoderReady()
  backend.endComputePassEncoder()
  backend.commandEncoder!.copyBufferToBuffer(buffer, 0, staging, 0, buffer.size)
  backend.submitQueue()
  const bytes = readStaging(backend, staging)
  backend.bufferManager.releaseBuffer(staging)
  return bytes
}

/** A buffer of so many bytes into which the card copies what the host is to read; give it back to the back end's buffer manager. */
export const stagingOf = ({ bufferManager }: CardBackend, size: number): GPUBuffer =>
  bufferManager.acquireBuffer(size, GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ)

/** Waits for a copy into such a buffer that was sent, and reads it. */
export function readStaging(backend: CardBackend, staging: GPUBuffer): ArrayBuffer {
  backend.card.mapNow(staging)
  backend.bytesRead += staging.size
  const bytes = staging.getMappedRange().slice(0)
  staging.unmap()
  return bytes
}

/** The buffer of a tensor, uploaded if need be. */
export function bufferOf(backend: CardBackend, { dataId }: Pick<Tensor, 'dataId'>): GPUBuffer {
  backend.uploadToGPU(dataId)
  return backend.tensorMap.get(dataId).resource as GPUBuffer
}

/** Lets go of what the host has read of a tensor, since it changes on the card. */
export function forgetRead(backend: CardBackend, { dataId }: Pick<Tensor, 'dataId'>): void {
  const data: { values: unknown } = backend.tensorMap.get(dataId)
  data.values = null
}

/** The float32 values of a tensor that is on the card. */
export const readTensor = (backend: CardBackend, { dataId }: Pick<Tensor, 'dataId'>): Float32Array =>
  backend.readSync(dataId) as Float32Array
