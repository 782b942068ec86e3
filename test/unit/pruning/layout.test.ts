import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { criterionList, type PruneJob, pruneSchema } from '../../../engine/contract/index.ts'
import { openCheckpoint } from '../../../engine/models/checkpoint.ts'
import { targetOf } from '../../../engine/pruning/job-target.ts'
import { layoutOf, withLayout } from '../../../engine/pruning/layout.ts'
import { fullMasks, selectMasks } from '../../../engine/pruning/masks.ts'
import { pruningWarnings } from '../../../engine/pruning/warnings.ts'
import { readRunFile, startedJob } from '../../../engine/runs/run-files.ts'
import { RunFolder } from '../../../engine/runs/run-folder.ts'
import { fixtureModel } from '../../fixtures/read.ts'

const folder = mkdtempSync(join(tmpdir(), 'secateur-layout-'))
after(() => rmSync(folder, { recursive: true, force: true }))
using grouped = openCheckpoint(fixtureModel('llama_gqa'))
const { config } = grouped

const jobWith = (settings: object): PruneJob & { out: string } =>
  pruneSchema.parse({ kind: 'prune', checkpoint: 'model', out: join(folder, 'run'), data: ['text'], ...settings })
const layout = (settings: object) => layoutOf(jobWith(settings), config)
const warnings = (settings: object) => {
  const job = jobWith({ protectFirst: 0, protectLast: 0, ...settings })
  return pruningWarnings(job, config, targetOf(job, grouped)).join('\n')
}

test('each criterion ranks by default as its paper does: FLAP over all layers, the others within each', () => {
  for (const { name, removes } of criterionList.filter((each) => each.removes !== 'weights'))
    assert.deepEqual(
      layout({ criterion: name }),
      name === 'flap'
        ? { ranking: 'global', uniform: false, localFor: null }
        : { ranking: 'local', uniform: true, localFor: null },
      `${name} ${removes}`,
    )
})

test('what holds for each layer by itself keeps FLAP within layers, and the estimate says why', () => {
  for (const [settings, reason] of [
    [{ uniform: true }, /--uniform asks/],
    [{ channelMultiple: 4 }, /--channel-multiple/],
    [{ headGroups: 'query-heads' }, /query heads that share/],
  ] as const) {
    const { ranking, uniform, localFor } = layout({ criterion: 'flap', ...settings })
    assert.deepEqual([ranking, uniform], ['local', true])
    assert.match(localFor!, reason)
    const told = warnings({ criterion: 'flap', ...settings })
    assert.match(told, /^FLAP ranks all layers together in its paper; here each layer by itself: /)
    assert.match(told, reason)
  }
  assert.doesNotMatch(warnings({}), /rank|differ/)
  assert.match(
    warnings({ criterion: 'flap' }),
    /ranked together, as FLAP does in its paper.*Layers will differ in size/,
  )
  assert.match(warnings({ uniform: false }), /^Layers will differ in size.*transformers.*--uniform leaves/)
  assert.match(warnings({ ranking: 'global', uniform: true }), /--uniform has no effect/)
})

test("FLAP's scores are ranked over all layers as they are, others by the norm of each layer", () => {
  const scores = config.layers.map((_, layer) => ({
    heads: new Float32Array(fullMasks(config, 'key-value-heads')[0]!.heads.length),
    channels: Float32Array.from({ length: config.layers[0]!.channels }, (__, group) => 1000 ** layer * (1 + group)),
  }))
  const removed = (criterion: string) => {
    const target = targetOf(
      jobWith({ criterion, ranking: 'global', ratio: 0.25, floor: 0, protectFirst: 0, protectLast: 0 }),
      grouped,
    )
    return selectMasks(config, fullMasks(config, 'key-value-heads'), scores, 0.25, target).map(
      ({ channels }) => channels.filter((kept) => kept === 0).length,
    )
  }
  const of = config.layers.length * config.layers[0]!.channels
  assert.equal(removed('flap')[0], Math.min(of / 4, config.layers[0]!.channels - 1))
  assert.equal(new Set(removed('wanda')).size, 1)
})

test('run.json says what auto came to, and a run of an earlier version goes on as it was started', () => {
  const started = (name: string, settings: object) => {
    const job = { ...jobWith({ criterion: 'flap' }), ...settings, out: join(folder, name) }
    RunFolder.create(job.out, job).close()
    return job.out
  }
  const now = (out: string, settings: object = { criterion: 'flap' }) =>
    withLayout(jobWith({ ...settings, out }), config, startedJob(out, { resume: true })) as PruneJob & { out: string }

  const fresh = join(folder, 'fresh')
  const job = {
    ...withLayout(jobWith({ criterion: 'flap' }), config, startedJob(fresh, { resume: false })),
    out: fresh,
  }
  RunFolder.create(fresh, job).close()
  const written = readRunFile(fresh).job as PruneJob
  assert.deepEqual([written.ranking, written.uniform], ['global', false])
  RunFolder.open(fresh, now(fresh)).close()

  // What version 0.1 wrote of the same command, and of --ranking global.
  for (const [name, old, settings] of [
    ['local', { ranking: 'local', uniform: true }, { criterion: 'flap' }],
    ['global', { ranking: 'global', uniform: true }, { criterion: 'flap', ranking: 'global' }],
  ] as const) {
    const out = started(name, old)
    const continued = now(out, settings)
    assert.deepEqual([continued.ranking, continued.uniform], [old.ranking, old.uniform])
    RunFolder.open(out, continued).close()
    assert.throws(() => RunFolder.open(out, now(out, { criterion: 'flap', uniform: false })), /was started with true/)
  }
  const broken = join(folder, 'local')
  writeFileSync(join(broken, 'run.json'), '{')
  assert.throws(() => startedJob(broken, { resume: true }), /run\.json/)
  assert.equal(startedJob(join(folder, 'none'), { resume: true }), null)
})
