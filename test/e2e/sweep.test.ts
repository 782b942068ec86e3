import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventsOf, sample, secateur, temporaryFolder } from './secateur.ts'

const folder = temporaryFolder()

/** Two runs of the sample, one after the other. */
function sweepFile(name: string): { file: string; out: string } {
  const [file, out] = [join(folder, `${name}.json`), join(folder, name)]
  const evaluation = {
    perplexity: { heldout: sample('heldout.txt') },
    maxWindows: 4,
    tasks: { piqa: sample('tasks/piqa/valid.jsonl') },
    limit: 4,
  }
  writeFileSync(
    file,
    JSON.stringify({
      checkpoint: sample('model'),
      out,
      base: {
        data: [sample('train.jsonl')],
        maxDocuments: 60,
        batchSize: 2,
        sequenceLength: 48,
        steps: 12,
        frequency: 2,
        saveEvery: 1,
        learningRate: 1e-3,
        threads: 1,
        evaluateDense: true,
        evaluation,
      },
      values: { criterion: ['loraprune', 'magnitude'] },
    }),
  )
  return { file, out }
}

const weightsOf = (out: string) =>
  readdirSync(join(out, 'runs'))
    .sort()
    .map((run) => readFileSync(join(out, 'runs', run, 'output/model.safetensors')))

/** Resolves once a file is there; the sweep has begun its first run long before the limit. */
async function untilThere(file: () => string | undefined): Promise<void> {
  for (let waited = 0; waited < 120_000; waited += 20) {
    const name = file()
    if (name !== undefined && existsSync(name)) return
    await new Promise((resolve) => void setTimeout(resolve, 20))
  }
  throw new Error('the first run saved no state')
}

test('a sweep killed in the middle of a run goes on with it, and with what was not begun, to the same bytes', async () => {
  const whole = sweepFile('whole')
  const ran = await secateur(['sweep', whole.file, '--json'])
  assert.equal(ran.code, 0, ran.stderr)
  const result = eventsOf(ran).at(-1)!
  assert.ok(result.type === 'result')
  const report = readFileSync(result.report!, 'utf8')
  assert.match(report, /\| dense \|.*\n\| loraprune \|.*\n\| magnitude \|/)
  assert.ok(existsSync(join(whole.out, 'figures/perplexity-heldout.svg')))
  const rows = readFileSync(join(whole.out, 'runs.csv'), 'utf8').trim().split('\r\n')
  assert.equal(rows.length, 4)
  assert.match(rows[0]!, /,KL heldout,same token heldout,/)
  const kept = (path: string) => JSON.parse(readFileSync(join(whole.out, path), 'utf8')) as object
  const scores = (path: string) => kept(join(path, 'scores.json'))
  const known = { dense: (scores('dense') as { result: object }).result }
  for (const run of readdirSync(join(whole.out, 'runs'))) {
    assert.partialDeepStrictEqual(scores(join('runs', run)), known, 'a run takes the scores that the sweep took')
    assert.deepEqual(kept(join('runs', run, 'predictions/dense.piqa.json')), kept('dense/predictions/result.piqa.json'))
  }

  const killed = sweepFile('killed')
  const firstRun = () => {
    const runs = join(killed.out, 'runs')
    const [first] = existsSync(runs) ? readdirSync(runs) : []
    return first === undefined ? undefined : join(runs, first, 'state/state.safetensors')
  }
  const dead = secateur(['sweep', killed.file, '--json'], (line, kill) => {
    if (line.includes('running 1-loraprune')) void untilThere(firstRun).then(() => kill('SIGKILL'))
  })
  assert.equal((await dead).signal, 'SIGKILL')
  // The run's own process notices that the sweep is gone, saves and ends.
  const run = join(killed.out, 'runs', readdirSync(join(killed.out, 'runs'))[0]!)
  await untilThere(() => join(run, 'result.json'))
  const { outcome } = JSON.parse(readFileSync(join(run, 'result.json'), 'utf8')) as { outcome: { type: string } }
  assert.equal(outcome.type, 'error', 'the run was stopped in its middle')
  const dense = statSync(join(killed.out, 'dense/scores.json')).mtimeMs

  const again = await secateur(['sweep', killed.file, '--json'])
  assert.equal(again.code, 2, 'a sweep that began is not begun again unasked')
  // How many at a time is no setting of a run.
  const job = JSON.parse(readFileSync(killed.file, 'utf8')) as object
  writeFileSync(killed.file, JSON.stringify({ ...job, parallel: 2 }))
  const resumed = await secateur(['sweep', killed.file, '--resume', '--json'])
  assert.equal(resumed.code, 0, resumed.stderr)
  const notes = eventsOf(resumed).flatMap((event) => (event.type === 'log' ? [event.message] : []))
  assert.deepEqual(notes, ['continuing 1-loraprune', 'running 2-magnitude'])
  assert.equal(statSync(join(killed.out, 'dense/scores.json')).mtimeMs, dense, 'the dense model is not scored again')
  for (const [index, weights] of weightsOf(killed.out).entries())
    assert.ok(weights.equals(weightsOf(whole.out)[index]!), `run ${index}`)
})

test('a sweep whose settings are wrong says which, and begins nothing', async () => {
  const { file, out } = sweepFile('wrong')
  const job = JSON.parse(readFileSync(file, 'utf8')) as { values: object }
  writeFileSync(file, JSON.stringify({ ...job, values: { criterion: ['loraprune', 'luck'] } }))
  const ran = await secateur(['sweep', file])
  assert.equal(ran.code, 2)
  assert.match(ran.stderr, /base\.criterion.*luck/)
  assert.ok(!existsSync(out))
})
