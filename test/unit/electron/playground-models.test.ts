import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CheckpointRow } from '../../../electron/database/checkpoints.ts'
import { besideOf, besideOfRun, writingModelOf } from '../../../electron/services/playground-models.ts'

const kinds = ['base', 'adapter', 'finetuned', 'pruned', 'adapter', 'exported'] as const
const inspection = { kind: 'adapter', folder: '/a', files: [] }
const rows = kinds.map((kind, index) => {
  const id = index + 1
  return {
    id,
    kind,
    name: `${kind} ${id}`,
    path: `/${id}`,
    status: 'present',
    removed: null,
    inspection,
  } as unknown as CheckpointRow
})
/** An adapter of 1; 3 of 1 and its adapter; 4 of 3; 6 of 4. */
const parents: Record<number, number[]> = { 2: [1], 3: [2, 1], 4: [3], 6: [4] }
const stores = {
  checkpoints: { get: (id: number) => rows[id - 1], parents: (id: number) => parents[id] ?? [] },
  runs: {},
} as unknown as Parameters<typeof besideOf>[0]

test('the dense checkpoint that another comes from is laid beside it', () => {
  assert.deepEqual(
    rows.map((row) => besideOf(stores, row)),
    [[1], [1, 2], [1, 3], [1, 4], [5], [1, 6]],
  )
  assert.deepEqual(besideOfRun(stores, { checkpoint_id: 1, output_id: 4 }), [1, 4])
  assert.deepEqual(besideOfRun(stores, { checkpoint_id: 1, output_id: null }), [1])
  assert.deepEqual(besideOfRun(stores, { checkpoint_id: 1, output_id: 99 }), [1])
})

test('what is missing cannot write', () => {
  const missing = { ...rows[0]!, status: 'missing' as const }
  assert.throws(() => writingModelOf(stores, missing, { runner: 'auto' }), /files of base 1 are missing: relocate it/)
})
