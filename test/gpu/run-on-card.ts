import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../..')

/** A command that runs its arguments on the driver to be tested or measured; empty for the system's own driver. */
export const runner = (process.env['SECATEUR_GPU_RUNNER'] ?? '').split(' ').filter((word) => word !== '')

/** Test files that hold on any back end, and then those about graphics cards alone: the last one ends with a lost card. */
export const quickFiles = [
  'test/conformance/binary.test.ts',
  'test/conformance/fused.test.ts',
  'test/conformance/matmul.test.ts',
  'test/conformance/reduce.test.ts',
  'test/conformance/shape.test.ts',
  'test/conformance/unary.test.ts',
  'test/unit/models/llama.test.ts',
  'test/unit/evaluation/batch-generation.test.ts',
  'test/unit/evaluation/shared-stems.test.ts',
  'test/gpu/generation.ts',
  'test/gpu/likeliest.ts',
  'test/gpu/split-product.ts',
  'test/gpu/updates.ts',
  'test/gpu/buffers.ts',
  'test/gpu/card.ts',
  'test/gpu/runs.ts',
]
/** What takes minutes on a software renderer. */
export const longFiles = ['test/unit/training/trainer.test.ts', 'test/unit/pruning/scores.test.ts']

export interface Ran {
  passed: boolean
  seconds: number
  output: string
}

/**
 * Runs test files with the back end `webgpu` in a process of their own. Several share the card and what was compiled for it.
 *
 * @param on a command that runs its arguments on the driver to be tested, where one is needed
 */
export function runOnCard(files: readonly string[], env: Record<string, string>, on: readonly string[] = []): Ran {
  const started = performance.now()
  // Without it the child would believe that it is part of this test.
  const { NODE_TEST_CONTEXT: _, ...inherited } = process.env
  const together = files.length > 1 ? ['test/gpu/together.ts'] : []
  const paths = [...together, ...files].map((file) => join(root, file))
  const [command, ...args] = [...on, process.execPath, '--expose-gc', ...paths]
  const { status, stdout, stderr, error } = spawnSync(command!, args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
    env: { ...inherited, SECATEUR_TEST_BACKEND: 'webgpu', ...env },
  })
  const output = error ? error.message : `${stdout}\n${stderr}`
  return { passed: status === 0, seconds: (performance.now() - started) / 1000, output }
}

/** What a failed file says at its end. */
export const failuresIn = (output: string): string =>
  output.slice(Math.max(0, output.indexOf('failing tests:'))).slice(0, 6000)
