// Ends well where the card multiplies the way that SECATEUR_GPU_ARITHMETIC says; otherwise its last line says why not.
import { chooseBackend } from '../../engine/backends/choose.ts'

try {
  await chooseBackend({ device: 'webgpu' })
} catch (error) {
  console.log(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
}
