import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, test } from 'node:test'
import { describePlan } from '../../../engine/entries/command-line/plan-text.ts'
import { planSchema, pruneSchema } from '../../../engine/contract/index.ts'
import { openCheckpoint } from '../../../engine/models/checkpoint.ts'
import { countParameters } from '../../../engine/models/tensors.ts'
import { fullMasks, type GroupMasks } from '../../../engine/pruning/groups.ts'
import { KeptScores, savedLayers } from '../../../engine/pruning/kept-scores.ts'
import type { LayerScores } from '../../../engine/pruning/scores.ts'
import { jobOfPlan, planBudgets, plannedJob } from '../../../engine/runs/plan.ts'
import { writeState } from '../../../engine/runs/state-file.ts'
import { fixtureModel } from '../../fixtures/read.ts'

const folder = mkdtempSync(join(tmpdir(), 'secateur-plan-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const { signal } = new AbortController()

const jobWith = (settings: object) =>
  pruneSchema.parse({ kind: 'prune', checkpoint: fixtureModel('llama_gqa'), out: folder, data: ['t'], ...settings })

/** A run of which the first channels left at steps 10, 20, ... 50, with a loss that rose with each. */
function runFolder(name: string, settings: object = {}): { path: string; scores: LayerScores[] } {
  const path = join(folder, name)
  mkdirSync(path)
  using checkpoint = openCheckpoint(fixtureModel('llama_gqa'))
  const masks = fullMasks(checkpoint.config, 'key-value-heads')
  const scores = masks.map(({ heads, channels }, layer) => ({
    heads: Float32Array.from(heads, (_, group) => 1 + group),
    channels: Float32Array.from(channels, (_, group) => (layer === 0 ? 1 + group : 40 + group)),
  }))
  const kept = new KeptScores(masks)
  const lines: string[] = []
  for (let step = 1; step <= 60; step++) {
    lines.push(
      JSON.stringify({
        step,
        loss: 2 + Math.floor((step - 1) / 10) ** 2 / 50,
        learningRate: 1,
        gradientNorm: 1,
        tokens: 1,
      }),
    )
    if (step % 10 !== 0 || step > 50) continue
    kept.choose(step, step === 50 ? scores : faded(scores, masks), masks)
    for (const mask of masks) mask.channels.fill(0, 0, step / 5)
  }
  writeFileSync(join(path, 'metrics.jsonl'), `${lines.join('\n')}\n`)
  const job = jobWith(settings)
  const hardware = { processor: 'p', cores: 1, memoryBytes: 1 }
  writeFileSync(join(path, 'run.json'), JSON.stringify({ version: 1, job, started: 'now', software: {}, hardware }))
  writeState(join(path, 'state/state.safetensors'), 60, new Map([...savedLayers('mask', masks), ...kept.state()]))
  return { path, scores }
}

/** Scores as a criterion gives them: none for what has left. */
const faded = (scores: LayerScores[], masks: GroupMasks): LayerScores[] =>
  scores.map(({ heads, channels }, layer) => ({
    heads,
    channels: channels.map((score, group) => score * masks[layer]!.channels[group]!),
  }))

const plan = (run: string, budgets: string[], more: object = {}) =>
  planBudgets(planSchema.parse({ run, budgets, ...more }), { signal, progress: () => {} })

test('budgets are planned from the scores that a run keeps, of what has left too', async () => {
  const { path, scores } = runFolder('run')
  const { dense, plans, quality, ranges } = await plan(path, ['parameters=0.9', 'parameters=0.8'], {
    protectFirst: 0,
    protectLast: 0,
  })
  using checkpoint = openCheckpoint(fixtureModel('llama_gqa'))
  const { config } = checkpoint
  assert.equal(dense.parameters, countParameters(config))
  for (const [i, share] of [0.9, 0.8].entries()) {
    const { parameters, bytes, layers, kept, speedUp, loss, snapshot } = plans[i]!
    assert.ok(parameters <= share * dense.parameters && parameters > share * dense.parameters - 3 * config.hiddenSize)
    assert.equal(parameters, countParameters({ ...config, layers: layers.filter((layer) => layer !== null) }))
    assert.equal(bytes, 4 * parameters)
    assert.ok(kept < 1 && kept > 0.5 && speedUp > 1)
    assert.ok(loss !== null && loss.rise > 0)
    // The state has the scores of channels that left forty steps ago.
    assert.equal(snapshot.layers[0]!.channels.scores[0], scores[0]!.channels[0])
    // The first layer's channels differ most, so that it has more that matter little.
    assert.ok(layers[0]!.channels < layers[1]!.channels)
  }
  assert.ok(plans[1]!.kept < plans[0]!.kept && plans[1]!.loss!.rise > plans[0]!.loss!.rise)
  assert.deepEqual(
    quality.points.map(({ step }) => step),
    [10, 20, 30, 40, 50, 60],
  )
  assert.equal(quality.points[0]!.lost, 0)
  assert.ok(quality.isFitted && quality.of === 'training')
  assert.ok(ranges.parameters.least < plans[1]!.parameters)
  const text = describePlan(await plan(path, ['parameters=0.8']))
  assert.match(text, /^ +dense +parameters=0\.8\nparameters +[\d,]+ +[\d,]+\n/)
  assert.match(text, /layer 1 .*channels/)
  await assert.rejects(plan(path, ['parameters=0.0001']), { field: 'budget', message: /a budget between/ })
})

test('the job of a plan prunes to it, whatever said before how much leaves', () => {
  const ran = jobWith({
    data: [resolve('t')],
    targetFraction: 0.4,
    ratioOf: 'parameters',
    ranking: 'global',
    steps: 70,
  })
  const settings = { uniform: true, floor: 0.3 }
  const job = jobOfPlan(ran, 'parameters=0.7', settings)
  const parsed = pruneSchema.parse({ ...job, out: 'next' })
  assert.deepEqual(parsed, { ...plannedJob(ran, 'parameters=0.7', settings), out: 'next' })
  assert.deepEqual(
    [parsed.budget, parsed.targetFraction, parsed.ratioOf, parsed.ranking, parsed.uniform, parsed.floor, parsed.steps],
    ['parameters=0.7', undefined, 'groups', 'auto', true, 0.3, 70],
  )
})

test('the job of a plan may be started from any folder', () => {
  const job = jobOfPlan(jobWith({ checkpoint: 'model', data: ['./a.txt'] }), 'parameters=0.7', { uniform: true })
  assert.deepEqual([job.checkpoint, job.data], [resolve('model'), [resolve('a.txt')]])
})

test('a run without kept scores is refused, and says why', async () => {
  const { path } = runFolder('none')
  const state = join(path, 'state/state.safetensors')
  writeState(state, 5, new Map())
  await assert.rejects(plan(path, ['parameters=0.9']), /has no scores of groups that left/)
  rmSync(state)
  await assert.rejects(plan(path, ['parameters=0.9']), /saved no state/)
  assert.ok(existsSync(join(path, 'run.json')) && readFileSync(join(path, 'run.json')).length > 0)
  const { path: depth } = runFolder('depth', { criterion: 'depth' })
  await assert.rejects(plan(depth, ['parameters=0.9']), /removes layers by depth/)
})
