import { backendName } from '../engine/contract.ts'

/** The back end that conformance and oracle tests run on: SECATEUR_TEST_BACKEND, or `onnx`. See test/gpu. */
export const testedBackend = backendName.parse(process.env['SECATEUR_TEST_BACKEND'] || 'onnx')
