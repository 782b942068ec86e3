import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Estimate } from '../../../engine/contract/index.ts'
import { refuseIfTooLarge } from '../../../engine/estimate/estimate.ts'

test('what does not fit is refused with both sizes, small ones in megabytes', () => {
  const sizes = { memoryBytes: 2.5e9, freeMemoryBytes: 1e12, diskBytes: 4.2e6, freeDiskBytes: 1e12 } as Estimate
  refuseIfTooLarge(sizes)
  assert.throws(() => refuseIfTooLarge({ ...sizes, freeMemoryBytes: 3.5e8 }), {
    kind: 'does-not-fit',
    message: /needs about 2\.50 GB of memory and 350\.0 MB are free/,
  })
  assert.throws(() => refuseIfTooLarge({ ...sizes, freeDiskBytes: 1e6 }), {
    kind: 'does-not-fit',
    message: /writes about 4\.2 MB and 1\.0 MB are free on the disk/,
  })
})
