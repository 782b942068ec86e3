import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { finetuneSchema, pruneSchema } from '../../../engine/contract/index.ts'
import { configOf } from '../../../engine/models/checkpoint.ts'
import { forModel } from '../../../engine/training/job-for-model.ts'
import { fixtureModel } from '../../fixtures/read.ts'

test('a fine-tune whose only teacher is its own checkpoint is refused, since it would train nothing', () => {
  const checkpoint = fixtureModel('llama_mha')
  const config = configOf(checkpoint)
  const paths = { checkpoint, out: 'out', data: ['text.jsonl'] }
  const finetune = (settings: object) =>
    forModel(finetuneSchema.parse({ kind: 'finetune', ...paths, ...settings }), config)
  const refused = {
    kind: 'bad-setting',
    field: 'distil',
    message: /would train nothing.*\(--teacher\), of one that was pruned the dense one that it was made from/,
  }
  assert.throws(() => finetune({ distil: 1 }), refused)
  assert.throws(() => finetune({ distil: 1, teacher: join(checkpoint, '../llama_mha') }), refused)
  finetune({ distil: 1, teacher: fixtureModel('llama_gqa') })
  finetune({ distil: 0.9 })
  forModel(pruneSchema.parse({ kind: 'prune', ...paths, distil: 1 }), config)
})
