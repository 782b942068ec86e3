import assert from 'node:assert/strict'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { evaluateSchema, type ParsedServiceParams } from '../../../engine/contract/index.ts'
import { readTask } from '../../../engine/evaluation/read-task.ts'
import { askedOf } from '../../../engine/evaluation/task-score.ts'
import { compareChoices } from '../../../engine/runs/compare-choices.ts'
import { keepPredictions, keptOfRows } from '../../../engine/runs/predictions.ts'
import { scratch } from '../data/images/image-files.ts'

const four = ['Open a jar', 'Peel an egg', 'Dry a shirt', 'Cut a rope']
const row = (goal: string) => JSON.stringify({ goal, sol1: `${goal} well`, sol2: `${goal} badly`, label: 0 })

/** The folder of a run that gave the first choice these log-likelihoods, and the second one always -2. */
async function scored(file: string, first: readonly number[], norm = first.map((value) => (value >= -2 ? 0 : 1))) {
  const path = scratch()
  const evaluation = { tasks: { piqa: file } }
  const job = evaluateSchema.parse({ kind: 'evaluate', checkpoint: 'm', out: path, evaluation })
  const hardware = { processor: 'some', cores: 2, memoryBytes: 8e9 }
  const facts = { started: '2026-01-01T00:00:00.000Z', software: { secateur: '0', node: '24' } }
  writeFileSync(join(path, 'run.json'), JSON.stringify({ version: 1, job, ...facts, hardware }))
  const rows = first.map((value, index) => ({
    task: 'piqa',
    index,
    logLikelihoods: [value, -2],
    pred: value >= -2 ? 0 : 1,
    predNorm: norm[index]!,
    gold: 0,
  }))
  keepPredictions(path, 'result', keptOfRows('piqa', rows))
  const asked = askedOf((await readTask('piqa', file)).slice(0, first.length), { count: 0 }, 'modern')
  const score = { acc: 0.5, stderr: null, n: first.length, total: 4, examples: 0, asked }
  writeFileSync(join(path, 'scores.json'), JSON.stringify({ result: { tasks: { piqa: score }, perplexity: {} } }))
  return { path, which: 'result' as const }
}

function taskFile(goals: readonly string[]): string {
  const file = join(scratch(), 'piqa.jsonl')
  writeFileSync(file, `${goals.map(row).join('\n')}\n`)
  return file
}

type Asked = ParsedServiceParams<'compareChoices'>
const control = { signal: new AbortController().signal }
const compare = (changes: Pick<Asked, 'after'> & Partial<Asked>) =>
  compareChoices(
    { task: 'piqa', outcome: 'all', metric: 'acc', search: '', order: 'file', offset: 0, limit: 50, ...changes },
    control,
  )

test('rows of a task are laid beside each other with their texts, found by what became of them, and searched', async () => {
  const file = taskFile(four)
  const before = await scored(file, [-1, -1, -3, -4])
  const after = await scored(file, [-1.5, -2.5, -1, -9])
  const all = (await compare({ before, after }))!
  assert.deepEqual([all.n, all.total, all.textProblem, all.word], [4, 4, null, false])
  assert.deepEqual([all.paired!.rightToWrong, all.paired!.wrongToRight, all.paired!.p], [1, 1, 1])
  assert.deepEqual(all.rows[1], {
    row: 1,
    question: 'Question: Peel an egg\nAnswer:',
    choices: ['Peel an egg well', 'Peel an egg badly'],
    gold: 0,
    before: { predicted: 0, right: true, logLikelihoods: [-1, -2], margin: 1 },
    after: { predicted: 1, right: false, logLikelihoods: [-2.5, -2], margin: -0.5 },
  })
  const rows = async (changes: Partial<Asked>) =>
    (await compare({ before, after, ...changes }))!.rows.map(({ row: at }) => at)
  assert.deepEqual(await rows({ outcome: 'changed' }), [1, 2])
  assert.deepEqual(await rows({ outcome: 'right-to-wrong' }), [1])
  assert.deepEqual(await rows({ outcome: 'wrong-to-right' }), [2])
  assert.deepEqual(await rows({ outcome: 'both-wrong' }), [3])
  assert.deepEqual(await rows({ search: ' PEEL' }), [1])
  assert.deepEqual(await rows({ search: '#3' }), [3])
  assert.deepEqual(await rows({ within: 0.5 }), [0, 1])
  assert.deepEqual(await rows({ order: 'margin' }), [0, 1, 2, 3])
  assert.deepEqual(await rows({ order: 'change' }), [3, 1, 0, 2])
  assert.deepEqual(await rows({ order: 'change', offset: 1, limit: 2 }), [1, 0])
  const alone = (await compare({ after, outcome: 'wrong' }))!
  assert.deepEqual([alone.paired, alone.rows.map((one) => [one.row, one.before])], [null, [[1, null], [3, null]]]) // oxfmt-ignore
})

test('acc_norm counts by the choice that is likeliest for its length', async () => {
  const file = taskFile(four)
  const before = await scored(file, [-1, -1, -1, -1], [0, 1, 1, 0])
  const after = await scored(file, [-1, -1, -1, -9], [0, 0, 1, 0])
  const found = (await compare({ before, after, metric: 'accNorm', outcome: 'changed' }))!
  assert.equal(found.normalised, true)
  assert.deepEqual(found.rows.map(({ row: at, after: { predicted } }) => [at, predicted]), [[1, 0]]) // oxfmt-ignore
})

test('runs on files with other rows are paired by their texts, two of the same text in turn', async () => {
  const before = await scored(taskFile(['Cut a rope', 'Open a jar', 'Open a jar']), [-1, -1, -3])
  const after = await scored(taskFile(['Open a jar', 'Peel an egg', 'Open a jar']), [-3, -1, -1])
  const found = (await compare({ before, after }))!
  assert.deepEqual([found.n, found.unmatched], [2, { before: 1, after: 1 }])
  assert.deepEqual(found.rows.map(({ before: was, after: is }) => [was!.right, is.right]), [[true, false], [false, true]]) // oxfmt-ignore
})

test('a task file that is gone or was changed since is named, and what was kept is shown without it', async () => {
  const file = taskFile(four)
  const [before, after] = [await scored(file, [-1, -1, -3, -4]), await scored(file, [-3, -1, -1, -4])]
  writeFileSync(file, `${[...four.slice(0, 3), 'Cut two ropes'].map(row).join('\n')}\n`)
  const changed = (await compare({ before, after }))!
  assert.match(changed.textProblem!, /piqa\.jsonl was changed after/)
  assert.deepEqual([changed.n, changed.rows[0]!.question, changed.rows[0]!.choices], [4, null, null])
  assert.deepEqual((await compare({ before, after, search: 'jar' }))!.rows, [])
  rmSync(file)
  assert.match((await compare({ before, after }))!.textProblem!, /piqa\.jsonl/)
  // Rows of another file cannot be told to be the same ones.
  const other = await scored(taskFile(four), [-1])
  assert.deepEqual([(await compare({ before, after: other }))!.n], [0])
})

test('what was not kept, or does not fit the question, is told apart', async () => {
  const after = await scored(taskFile(four), [-1])
  assert.equal(await compare({ after, task: 'boolq' }), null)
  await assert.rejects(compare({ after, outcome: 'changed' }), /outcome: changed asks for two/)
  mkdirSync(join(after.path, 'predictions'), { recursive: true })
  writeFileSync(join(after.path, 'predictions/result.piqa.json'), '{"version":1,"kind":"choices"}')
  await assert.rejects(compare({ after }), /result\.piqa\.json/)
})
