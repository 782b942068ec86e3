import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sizeText } from '../../../engine/shared/size-text.ts'

test('bytes are said in the unit that leaves a number of few digits', () => {
  const said = [52_000, 999_000_000, 1e9, 1.5e9, 1.34261e12].map(sizeText)
  assert.deepEqual(said, ['0.1 MB', '999.0 MB', '1.00 GB', '1.50 GB', '1.34 TB'])
})
