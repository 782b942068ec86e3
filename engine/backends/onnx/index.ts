import { tf } from '../../tensor/tf.ts'
import { OnnxBackend } from './backend.ts'
import { registerBlocks } from './blocks.ts'
import { registerBinary } from './binary.ts'
import { registerFusedAdamW } from './fused-adamw.ts'
import { registerCaches } from './cache.ts'
import { registerFusedAttention } from './fused-attention.ts'
import { registerFusedEncoder } from './fused-encoder.ts'
import { registerFusedGatedActivations } from './fused-gated-activation.ts'
import { registerFusedImportance } from './fused-importance.ts'
import { registerFusedLinears } from './fused-linear.ts'
import { registerFusedLoss } from './fused-loss.ts'
import { registerFusedNorm } from './fused-norm.ts'
import { registerFusedRotary } from './fused-rotary.ts'
import { registerGathers } from './gather.ts'
import { registerFrozen } from './frozen.ts'
import { backendName } from './kernel.ts'
import { registerMatrixProducts } from './matmul.ts'
import { registerNeural } from './nn.ts'
import { registerReductions } from './reduce.ts'
import { registerShapes } from './shape.ts'
import { registerDirectKernels } from './rows/direct.ts'
import { registerUnary } from './unary.ts'

/**
 * Makes the back end `onnx` known to TensorFlow.js, with all its kernels. A second call changes nothing.
 *
 * @param options.threads threads of one operator.
 */
export function registerOnnxBackend(options: { threads: number }): void {
  if (tf.findBackendFactory(backendName)) return
  registerUnary()
  registerBinary()
  registerReductions()
  registerMatrixProducts()
  registerShapes()
  registerGathers()
  registerNeural()
  registerBlocks()
  registerFrozen()
  registerCaches()
  registerDirectKernels()
  registerFusedLinears()
  registerFusedAttention()
  registerFusedGatedActivations()
  registerFusedRotary()
  registerFusedLoss()
  registerFusedNorm()
  registerFusedEncoder()
  registerFusedImportance()
  registerFusedAdamW()
  tf.registerBackend(backendName, () => new OnnxBackend(options))
}
