import assert from 'node:assert/strict'
import { cpSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { z } from 'zod'
import { jobEstimateSchema } from '../../engine/contract/index.ts'
import { eventsOf, linesOf, sample, secateur, temporaryFolder } from './secateur.ts'

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

const estimate = z.object({
  seconds: z.number(),
  secondsFrom: z.string(),
  sweep: jobEstimateSchema.shape.sweep.unwrap(),
})

/** What a command would need; `--estimate` is said with it. */
async function estimateOf(args: readonly string[]): Promise<z.infer<typeof estimate>> {
  const ran = await secateur([...args, '--estimate', '--json'])
  assert.equal(ran.code, 0, ran.stderr)
  return estimate.parse(linesOf(ran).at(-1))
}

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

test('a sweep some of whose runs fail ends with an exit code other than 0, says which, and goes on with --resume', async () => {
  const { file, out } = sweepFile('failing')
  const job = JSON.parse(readFileSync(file, 'utf8')) as { base: object }
  const { evaluation: _, evaluateDense: __, ...base } = job.base as Record<string, unknown>
  const teacher = join(out, '../teacher')
  const variants = [{}, { distil: 0.5, teacher }]
  writeFileSync(file, JSON.stringify({ ...job, base: { ...base, steps: 2 }, values: {}, variants }))

  const told = await secateur(['sweep', file])
  assert.equal(told.code, 1, told.stderr)
  assert.match(told.stdout, /report: .*report\.md\n$/)
  assert.match(
    told.stderr,
    /\nsecateur: 1 run could not be done: 2-[\w.-]+\. \S+report\.md says why\. Mend what is wrong, and give the same command with --resume/,
  )
  const failed = readdirSync(join(out, 'runs')).filter((name) => !existsSync(join(out, 'runs', name, 'output')))
  const again = await secateur(['sweep', file, '--resume', '--json'])
  assert.equal(again.code, 1)
  const result = eventsOf(again).at(-1)!
  assert.ok(result.type === 'result', 'the last line is the result in any case')
  assert.deepEqual([result.failedRuns, result.failed?.length], [1, 1])
  assert.ok(failed.every((name) => result.failed!.includes(name)))
  assert.match(again.stderr, /1 run could not be done/)

  cpSync(sample('model'), teacher, { recursive: true })
  const left = await estimateOf(['sweep', file, '--resume'])
  assert.deepEqual([left.sweep.runs, left.sweep.finished], [1, 1])
  assert.match(left.secondsFrom, /^For the 1 of 2 runs that are left; 1 is finished\. /)
  const all = await estimateOf(['sweep', file])
  assert.deepEqual([all.sweep.runs, all.sweep.finished], [2, undefined])
  assert.ok(left.seconds > 0 && left.seconds < all.seconds, `${left.seconds} and ${all.seconds} s`)
  const other = join(folder, 'failing-other.json')
  writeFileSync(other, JSON.stringify({ ...job, base, values: {}, variants }))
  const refused = await secateur(['sweep', other, '--estimate', '--resume'])
  assert.equal(refused.code, 2, 'what is finished belongs to another sweep')
  assert.match(refused.stderr, /was started with/)

  const mended = await secateur(['sweep', file, '--resume', '--json'])
  assert.equal(mended.code, 0, mended.stderr)
  const over = eventsOf(mended).at(-1)!
  assert.ok(over.type === 'result' && over.failedRuns === undefined && over.failed === undefined)
  const nothing = await estimateOf(['sweep', file, '--resume'])
  assert.deepEqual([nothing.sweep.runs, nothing.sweep.finished, nothing.seconds], [0, 2, 0])
  assert.deepEqual(nothing.sweep.parameters, all.sweep.parameters)
})

test('files of all runs of a sweep are checked before the first begins', async () => {
  const { file, out } = sweepFile('missing')
  const job = JSON.parse(readFileSync(file, 'utf8')) as { base: object }
  const [missing, bad] = [join(folder, 'none.jsonl'), join(folder, 'bad.jsonl')]
  writeFileSync(bad, '{"text": "a row"}\n{"text": \n')
  const variants = [{}, { data: [missing] }, { calibrationData: [bad] }]
  writeFileSync(file, JSON.stringify({ ...job, base: { ...job.base, steps: 2 }, values: {}, variants }))
  const refused = await secateur(['sweep', file])
  assert.equal(refused.code, 3, refused.stderr)
  assert.match(refused.stderr, /none\.jsonl: there is no such file\n.*bad\.jsonl: line 2/)
  assert.ok(!existsSync(join(out, 'runs')), 'no run has begun')

  for (const path of [missing, bad]) cpSync(sample('train.jsonl'), path)
  const mended = await secateur(['sweep', file])
  assert.equal(mended.code, 0, 'what was refused may be begun without --resume')
})
