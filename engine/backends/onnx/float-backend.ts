import { tf } from '../../tensor/tf.ts'

/** What TensorFlow.js asks of any back end that computes in float32. */
export abstract class FloatBackend extends tf.KernelBackend {
  override memory(): { unreliable: boolean } {
    return { unreliable: false }
  }

  override floatPrecision(): 16 | 32 {
    return 32
  }

  override epsilon(): number {
    return 1e-7
  }

  override timerAvailable(): boolean {
    return true
  }
}
