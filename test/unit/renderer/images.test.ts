import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { confusedPairs, ordered, seenClasses, shade } from '../../../renderer/src/charts/confusion.ts'
import { fittingCell, gutters, inView, scrolledTo, zooms } from '../../../renderer/src/charts/matrix-view.ts'
import { pairOf } from '../../../renderer/src/screens/compare/compared-images.ts'
import { errorOfShare } from '../../../renderer/src/screens/compare/metrics.ts'
import { classRows, sortedRows } from '../../../renderer/src/screens/run/images/class-rows.ts'
import { asked, changedOnes, fitting } from '../../../renderer/src/screens/run/images/outcome-choice.ts'

interface Scored {
  confusion: number[][]
  top1: number
  stderr: number
  perClass: number[]
}
/** What make_classification_fixture.py had scikit-learn compute. */
const { dense, pruned } = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../fixtures/classification.json'), 'utf8'),
) as { dense: Scored; pruned: Scored }

test('pairs are counted off the diagonal, the most confused first, with what they were before', () => {
  const pairs = confusedPairs(pruned.confusion, dense.confusion)
  const wrong = 60 * (1 - pruned.top1)
  assert.equal(
    pairs.reduce((sum, { count }) => sum + count, 0),
    Math.round(wrong),
  )
  for (const [at, { label, predicted, count, before }] of pairs.entries()) {
    assert.equal(count, pruned.confusion[label]![predicted])
    assert.equal(before, dense.confusion[label]![predicted])
    assert.ok(at === 0 || count <= pairs[at - 1]!.count)
  }
  assert.deepEqual(confusedPairs([[3, 1], [0, 0]], null), [{ label: 0, predicted: 1, count: 1, share: 0.25, before: null }]) // oxfmt-ignore
})

test('the error of a share is that of its zeros and ones', () => {
  assert.ok(Math.abs(errorOfShare(pruned.top1, 60)! - pruned.stderr) < 1e-12)
  assert.equal(errorOfShare(1, 1), null)
})

test('classes are ordered by accuracy, or so that those stand together that are confused', () => {
  const all = [...pruned.perClass.keys()]
  const byAccuracy = ordered(all, pruned.confusion, 'accuracy').map((of) => pruned.perClass[of]!)
  assert.deepEqual(
    byAccuracy,
    pruned.perClass.toSorted((one, other) => one - other),
  )
  // 0 and 3, 1 and 4, 2 and 5 are confused with one another, 3 and 1 a little.
  const confusion: number[][] = Array.from({ length: 6 }, (_, row) =>
    Array.from({ length: 6 }, (__, column) => (row === column ? 10 : Math.abs(row - column) === 3 ? 5 : 0)),
  )
  confusion[3]![1] = 1
  const order = ordered([0, 1, 2, 3, 4, 5], confusion, 'confused')
  assert.deepEqual(order.toSorted(), [0, 1, 2, 3, 4, 5])
  const apart = (one: number, other: number) => Math.abs(order.indexOf(one) - order.indexOf(other))
  for (const [one, other] of [[0, 3], [1, 4], [2, 5], [3, 1]] as const) assert.equal(apart(one, other), 1, `${order}`) // oxfmt-ignore
  assert.deepEqual(seenClasses([[1, 0, 0], [0, 0, 0], [0, 0, 0]], [[0, 0, 0], [0, 0, 0], [0, 1, 0]]), [0, 1, 2]) // oxfmt-ignore
})

test('two hundred classes are ordered in the time of a click', () => {
  const confusion = Array.from({ length: 200 }, (_, row) =>
    Array.from({ length: 200 }, (__, column) =>
      row === column ? 40 : (row * 7919 + column * 104729) % 23 === 0 ? 1 : 0,
    ),
  )
  // The processor's own time: others may have it meanwhile.
  const began = process.cpuUsage()
  assert.equal(new Set(ordered([...confusion.keys()], confusion, 'confused')).size, 200)
  assert.ok(process.cpuUsage(began).user < 2e6)
})

test('a matrix of any size has cells that fit, and can be made large enough to read', () => {
  for (const classes of [2, 10, 20, 50, 100, 200])
    for (const width of [300, 480, 620]) {
      const cell = fittingCell(classes, width, 620)
      assert.ok(
        cell >= 2 && (cell === 2 || gutters(cell).left + classes * cell <= width),
        `${classes} in ${width}: ${cell}`,
      )
      const largest = zooms(classes, width, 620).at(-1)!
      assert.ok(largest >= 22, `${classes} in ${width}: ${largest}`)
    }
  const box = { width: 504, height: 484, left: 260, top: 0 }
  assert.deepEqual(inView(26, 200, box), { firstRow: 0, firstColumn: 10, rows: 17, columns: 17 })
  assert.deepEqual(inView(26, 12, { ...box, left: 0 }), { firstRow: 0, firstColumn: 0, rows: 12, columns: 12 })
  assert.deepEqual(
    [scrolledTo(3, 26, 400, 260), scrolledTo(12, 26, 400, 260), scrolledTo(30, 26, 400, 260)],
    [78, 260, 406],
  )
  assert.deepEqual([shade(0, 9), shade(1, 100), shade(100, 100), shade(1, 0)], [0, 0.1, 1, 0])
})

const score = (...classes: [name: string, n: number, acc: number | null][]) => ({
  top1: 0,
  top5: 0,
  stderr: null,
  n: 0,
  imagesPerSecond: null,
  perClass: classes.map(([name, n, acc]) => ({ name, n, acc })),
})

test('classes are laid beside each other by name, and sorted with those without a value last', () => {
  const rows = classRows([
    { key: 'a', label: 'A', score: score(['x', 4, 0.5], ['y', 2, 1], ['z', 0, null]) },
    { key: 'b', label: 'B', score: score(['y', 2, 0.5], ['x', 4, 0.75], ['w', 1, 0]) },
  ])
  assert.deepEqual(rows.map(({ name, change }) => [name, change]), [['x', 0.25], ['y', -0.5], ['w', null]]) // oxfmt-ignore
  const names = (by: string, descending: boolean) => sortedRows(rows, { by, descending }).map(({ name }) => name)
  assert.deepEqual(names('change', false), ['y', 'x', 'w'])
  assert.deepEqual(names('change', true), ['x', 'y', 'w'])
  assert.deepEqual(names('0', false), ['x', 'y', 'w'])
  assert.deepEqual(names('name', true), ['y', 'x', 'w'])
  assert.deepEqual(names('n', true), ['x', 'y', 'w'])
})

const source = (run: number, which: 'dense' | 'result') => ({ key: `${which} ${run}`, label: '', by: { run, which } })

test('two different checkpoints are compared, the results of the first two runs where none is chosen', () => {
  const sources = [source(1, 'result'), source(1, 'dense'), source(2, 'result')]
  const keys = (before: string, after: string) => {
    const pair = pairOf(sources, { before, after })!
    return [pair.before.key, pair.after.key]
  }
  assert.deepEqual(keys('', ''), ['result 1', 'result 2'])
  assert.deepEqual(keys('dense 1', 'result 2'), ['dense 1', 'result 2'])
  assert.deepEqual(keys('result 2', 'result 2'), ['result 2', 'result 1'])
  const alone = pairOf([source(1, 'result'), source(1, 'dense')], { before: '', after: '' })!
  assert.deepEqual([alone.before.key, alone.after.key], ['dense 1', 'result 1'])
  assert.equal(pairOf([source(1, 'result')], { before: '', after: '' }), null)
  assert.equal(pairOf([], { before: '', after: '' }), null)
})

test('what is asked for fits one checkpoint as it does two', () => {
  assert.equal(fitting(changedOnes, false).outcome, 'wrong')
  assert.equal(fitting({ ...changedOnes, outcome: 'wrong' }, true).outcome, 'changed')
  const choice = { ...changedOnes, label: 'x', predictedBefore: 'y' }
  assert.deepEqual(asked(choice, source(1, 'dense'), source(1, 'result'), { offset: 24, limit: 24 }), {
    before: { run: 1, which: 'dense' },
    after: { run: 1, which: 'result' },
    outcome: 'changed',
    label: 'x',
    predictedBefore: 'y',
    offset: 24,
    limit: 24,
  })
})
