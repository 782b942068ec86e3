import { backendName } from '../engine/contract/index.ts'

/** The back end that conformance and oracle tests run on: SECATEUR_TEST_BACKEND, or `onnx`. See test/gpu. */
export const testedBackend = backendName.parse(process.env['SECATEUR_TEST_BACKEND'] || 'onnx')

/** Whether products round each factor to a 16-bit float: SECATEUR_GPU_ARITHMETIC is `matrix` or `f16`. */
export const testsHalfPrecision = ['matrix', 'f16'].includes(process.env['SECATEUR_GPU_ARITHMETIC'] ?? '')
