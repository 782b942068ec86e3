import { registerAdamW } from './adamw.ts'
import { registerAddN } from './add-n.ts'
import { registerAttention } from './attention.ts'
import { registerCaches } from './cache.ts'
import { registerCrossEntropy } from './cross-entropy.ts'
import { registerFrozenRows } from './frozen-rows.ts'
import { registerGatedActivations } from './gated-activation.ts'
import { registerGelu } from './gelu.ts'
import { registerDistilLoss } from './distil-loss.ts'
import { registerHeadLoss } from './head-loss.ts'
import { registerImportance } from './importance.ts'
import { registerLayerNorm } from './layer-norm.ts'
import { registerLikeliest } from './likeliest.ts'
import { registerLora } from './lora.ts'
import { registerFrozenLinear } from './product.ts'
import { registerRmsNorm } from './rms-norm.ts'
import { registerRotary } from './rotary.ts'
import { registerScaleAll } from './scale-all.ts'
import { registerSumsOfSquares } from './sums-of-squares.ts'

/** Registers every kernel of our own for the back end `webgpu`, in place of TensorFlow.js's where it has one. */
export function registerOurKernels(): void {
  registerAddN()
  registerRmsNorm()
  registerLayerNorm()
  registerGelu()
  registerRotary()
  registerGatedActivations()
  registerAttention()
  registerCaches()
  registerCrossEntropy()
  registerHeadLoss()
  registerLikeliest()
  registerDistilLoss()
  registerSumsOfSquares()
  registerAdamW()
  registerScaleAll()
  registerFrozenRows()
  registerFrozenLinear()
  registerLora()
  registerImportance()
}
