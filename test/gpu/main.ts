// npm run test:gpu: everything that is tested of the back end webgpu, once for each way that a card may multiply.
import { failuresIn, longFiles, quickFiles, runner, runOnCard } from './run-on-card.ts'

/** What is tested besides of the ways that round factors to 16 bits. */
const aboutRounding = ['test/gpu/rounding.ts']
const started = performance.now()

let failures = 0
for (const arithmetic of ['f32', 'f16', 'matrix']) {
  const known = runOnCard(['test/gpu/has-arithmetic.ts'], { SECATEUR_GPU_ARITHMETIC: arithmetic }, runner)
  if (!known.passed) {
    console.log(`${arithmetic}: skipped, ${known.output.trim().split('\n').at(-1)}`)
    if (arithmetic === 'f32') failures++
    continue
  }
  for (const file of [...quickFiles, ...longFiles, ...(arithmetic === 'f32' ? [] : aboutRounding)]) {
    const { passed, seconds, output } = runOnCard(
      [file],
      { SECATEUR_GPU_ARITHMETIC: arithmetic, SECATEUR_GPU_LONG: arithmetic === 'f32' ? '1' : '' },
      runner,
    )
    console.log(`${arithmetic}: ${passed ? 'passed' : 'FAILED'} ${file} (${seconds.toFixed(0)} s)`)
    if (passed) continue
    failures++
    console.log(failuresIn(output))
  }
}
console.log(
  `${failures === 0 ? 'all passed' : `${failures} failed`} in ${((performance.now() - started) / 1000).toFixed(0)} s`,
)
process.exitCode = failures === 0 ? 0 : 1
