import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { jobSchema } from '../../engine/contract/index.ts'
import { runJob } from '../../engine/jobs/index.ts'
import { openCheckpoint } from '../../engine/models/checkpoint.ts'

const sample = join(import.meta.dirname, '../../resources/sample-vit')
const model = join(sample, 'model')
const evaluation = { images: sample }
const folder = mkdtempSync(join(tmpdir(), 'secateur-sample-vit-'))
after(() => rmSync(folder, { recursive: true }))

const run = (job: object) =>
  runJob(jobSchema.parse(job), { emit: () => {}, signal: new AbortController().signal, resume: false })

test('the sample of images is a ViT of less than a million parameters in less than 2 MB', () => {
  using checkpoint = openCheckpoint(model)
  assert(checkpoint.parameters < 1e6)
  assert(checkpoint.bytes < 2e6)
})

test('it tells figures apart; removing half without healing hurts, and healing helps', async (context) => {
  process.env['XDG_CACHE_HOME'] = join(folder, 'cache')
  const dense = await run({ kind: 'evaluate', checkpoint: model, threads: 1, evaluation })
  const pruned = (name: string, settings: object) => {
    const job = { kind: 'prune', checkpoint: model, data: [sample], out: join(folder, name), threads: 1, ratio: 0.5 }
    return run({ ...job, batchSize: 16, dropout: 0, rank: 16, alpha: 32, ...settings, evaluation })
  }
  const hurt = await pruned('hurt', { schedule: 'one-shot', healing: false })
  const healed = await pruned('healed', { steps: 40, frequency: 2, learningRate: 4e-3 })
  const [before, cut, then] = [dense, hurt, healed].map((result) => result.classification!.top1)
  context.diagnostic(`top-1: dense ${before}, cut ${cut}, healed ${then}`)
  assert(healed.parameters!.after < 0.6 * healed.parameters!.before)
  assert(before! > 0.75)
  assert(cut! < before! - 0.25)
  assert(then! > cut! + 0.05)
})
