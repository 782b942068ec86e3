import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { z } from 'zod'
import { taskName, type TaskName } from '../../../engine/contract/index.ts'
import { warnOfComparability } from '../../../engine/evaluation/comparability.ts'
import { fewShotText } from '../../../engine/evaluation/few-shot.ts'
import { readTask } from '../../../engine/evaluation/read-task.ts'
import { boolq as boolqTask } from '../../../engine/evaluation/tasks/boolq.ts'
import { scoredTask } from '../../../engine/evaluation/scored-task.ts'
import type { TaskRow } from '../../../engine/evaluation/tasks/task.ts'
import { PythonRandom } from '../../../engine/shared/python-random.ts'

const draw = z.object({
  /** Places of each row's examples. */
  drawn: z.array(z.array(z.int())),
  /** Contexts and continuations of the first rows. */
  asked: z.array(z.array(z.tuple([z.string(), z.string()]))),
})
const lines = z.array(z.record(z.string(), z.unknown()))
const fixture = z
  .object({
    shots: z.int(),
    seed: z.int(),
    cases: z.array(z.object({ task: taskName, rows: lines, train: lines, fromTrain: draw, fromScored: draw })),
  })
  .parse(JSON.parse(readFileSync(join(import.meta.dirname, '../../fixtures/few-shot.json'), 'utf8')))

const folder = mkdtempSync(join(tmpdir(), 'secateur-few-shot-'))
after(() => rmSync(folder, { recursive: true }))

function read(task: TaskName, name: string, rows: readonly object[]): Promise<TaskRow[]> {
  const file = join(folder, `${task}-${name}.jsonl`)
  writeFileSync(file, rows.map((row) => JSON.stringify(row)).join('\n'))
  return readTask(task, file)
}

for (const { task, rows, train, fromTrain, fromScored } of fixture.cases) {
  test(`${task} draws the examples that lm-eval draws, row by row, with and without a train file`, async () => {
    const [scored, examples] = [await read(task, 'scored', rows), await read(task, 'train', train)]
    for (const [expected, source, shots] of [
      [fromTrain, examples, { count: fixture.shots, examples }],
      [fromScored, scored, { count: fixture.shots }],
    ] as const) {
      const random = new PythonRandom(fixture.seed)
      for (const [index, { contexts, choices }] of scored.entries()) {
        const before = fewShotText(index, scored, shots, { task: scoredTask(task), mode: 'modern', random })
        assert.equal(before, textOf(expected.drawn[index]!.map((at) => source[at]!)), `row ${index}`)
        const asked = expected.asked[index]
        const requests = choices.map((choice, at) => [before + contexts[at]!, ` ${choice}`])
        if (asked) assert.deepEqual(requests, asked)
      }
    }
  })
}

test('the fixture holds rows that lm-eval has dropped', () => {
  for (const task of ['boolq', 'piqa', 'hellaswag', 'winogrande'] as const) {
    const { rows, fromTrain } = fixture.cases.find((one) => one.task === task)!
    const random = new PythonRandom(fixture.seed)
    const whole = rows.map(() => random.sample(24, fixture.shots + 1))
    assert.ok(fromTrain.drawn.some((drawn, index) => drawn.join() !== whole[index]!.slice(0, fixture.shots).join()))
  }
})

const textOf = (examples: readonly TaskRow[]) =>
  examples.map(({ contexts, choices, gold }) => `${contexts[gold]} ${choices[gold]}\n\n`).join('')

const question = (name: string, gold = 0) => ({ contexts: [`${name}?`, `${name}?`], choices: ['yes', 'no'], gold })
const seeded = (seed: number, task: TaskName = 'arc_easy') => ({
  task: scoredTask(task),
  mode: 'modern' as const,
  random: new PythonRandom(seed),
})

test('examples stand before the row with their answers, in the order of the draw', () => {
  const rows = [question('scored')]
  const examples = ['a', 'b', 'c', 'd'].map((name, index) => question(name, index % 2))
  // CPython 3.11.7: random.Random(1234).sample(range(4), 2) is [3, 0].
  const text = fewShotText(0, rows, { count: 2, examples, description: () => 'Answer.\n\n' }, seeded(1234))
  assert.equal(text, 'Answer.\n\nd? no\n\na? yes\n\n')
  assert.equal(fewShotText(0, rows, { count: 0 }, seeded(1)), '')
})

test('legacy draws no more than it needs from a train file, whatever the task', () => {
  const examples = ['a', 'b', 'c', 'd'].map((name, index) => question(name, index % 2))
  const text = fewShotText(0, examples, { count: 2, examples }, { ...seeded(1234, 'piqa'), mode: 'legacy' })
  assert.equal(text, 'd? no\n\na? yes\n\n')
})

test('drawn from the scored rows, a row is never its own example', () => {
  const rows = ['a', 'b', 'c', 'd', 'e'].map((name) => question(name))
  const draws = seeded(1234)
  for (const [index, row] of rows.entries()) {
    const text = fewShotText(index, rows, { count: 4 }, draws)
    assert.equal(text.match(/\? yes\n\n/g)?.length, 4)
    assert.ok(!text.includes(row.contexts[0]!))
  }
  assert.throws(
    () => fewShotText(0, rows, { count: 5 }, draws),
    /few-shot: 5 examples a row cannot be drawn from 5 rows: one more is drawn/,
  )
  assert.throws(
    () => fewShotText(0, rows, { count: 5, examples: rows }, seeded(1, 'piqa')),
    /few-shot: 5 examples a row cannot be drawn from 5 rows: one more is drawn/,
  )
})

const boolq = (count: number, title?: string) =>
  Array.from({ length: count }, (_, number) =>
    boolqTask.parse({ question: 'q', passage: `Number ${number}.`, answer: true, ...(title && { title }) }),
  )

test('figures that cannot be laid beside published ones are told', () => {
  const rows = [question('a')]
  const drawn = warnOfComparability(scoredTask('piqa'), rows, { count: 2 })
  assert.match(
    drawn.join(),
    /^the few-shot examples of PIQA are drawn from its scored rows.*--few-shot-from piqa=FILE$/,
  )
  assert.deepEqual(warnOfComparability(scoredTask('piqa'), rows, { count: 2, examples: rows }), [])
  assert.deepEqual(warnOfComparability(scoredTask('piqa'), rows, { count: 0 }), [])

  const none = { count: 0 }
  assert.deepEqual(warnOfComparability(scoredTask('boolq'), boolq(3270, 'A title'), none), [])
  assert.match(
    warnOfComparability(scoredTask('boolq'), [...boolq(270, 'A title'), ...boolq(3000)], none).join(),
    /^3000 of 3270 passages of BoolQ do not start with the title/,
  )
  // Questions of one's own, such as the sample's, have no published figures.
  assert.deepEqual(warnOfComparability(scoredTask('boolq'), boolq(160), none), [])
})
