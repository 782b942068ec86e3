import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve, sep } from 'node:path'
import { test } from 'node:test'
import { longTests } from '../../../scripts/long-tests.mjs'
import { chooseTests, describeResults, longestFirst } from '../../../scripts/test-files.mjs'

const root = resolve(import.meta.dirname, '../../..')

const filesIn = (folder: string, pattern: RegExp) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((file) => `${folder}/${file.split(sep).join('/')}`)
    .filter((file) => pattern.test(file))
    .toSorted()

test('no words mean every file that is not long, and the long ones are all that are left', () => {
  const [quick, long] = [chooseTests([]), chooseTests([], { long: true })]
  assert.deepEqual(quick.flags, [])
  assert.ok(quick.tests.includes('test/unit/pruning/masks.test.ts') && long.tests.includes('test/e2e/sweep.test.ts'))
  assert.ok(quick.specs.includes('test/e2e/app/shell.spec.ts') && long.specs.includes('test/e2e/app/sweep.spec.ts'))
  assert.deepEqual([...quick.tests, ...long.tests].toSorted(), filesIn('test', /\.test\.ts$/))
  assert.deepEqual([...quick.specs, ...long.specs].toSorted(), filesIn('test', /\.spec\.ts$/))
  assert.deepEqual([...long.tests, ...long.specs].toSorted(), longTests.toSorted(), 'each of the list is a file')
})

test('a spec that goes on where another one ended is long as that one is', () => {
  const specs = filesIn('test', /\.then-.*\.spec\.ts$/)
  assert.ok(specs.length > 0)
  for (const spec of specs) {
    const first = spec.replace(/\.then-.*/, '.spec.ts')
    assert.equal(longTests.includes(spec), longTests.includes(first), spec)
  }
})

test('of units alone, none that starts processes of the app', () => {
  const units = chooseTests([], { unit: true })
  assert.ok(units.tests.every((file) => /^test\/(unit|conformance)\//.test(file)))
  assert.ok(units.tests.length > 60)
  assert.deepEqual(units.specs, [])
})

test('a word is a path or a part of one, and must mean a file', () => {
  const masks = { flags: [], tests: ['test/unit/pruning/masks.test.ts'], specs: [] }
  assert.deepEqual(chooseTests(['test/unit/pruning/masks.test.ts']), masks)
  assert.deepEqual(chooseTests([resolve(import.meta.dirname, '../pruning/masks.test.ts')]), masks)
  assert.deepEqual(chooseTests(['pruning/masks', 'masks.test']), masks)
  const sweeps = chooseTests(['sweep'])
  assert.ok(sweeps.tests.includes('test/e2e/sweep.test.ts') && sweeps.specs.includes('test/e2e/app/sweep.spec.ts'))
  // A file that is no test by its name can be run by its path.
  assert.deepEqual(chooseTests(['test/gpu/rounding.ts']).tests, ['test/gpu/rounding.ts'])
  assert.throws(() => chooseTests(['no such thing']), /no file of tests has "no such thing"/)
})

test('files that take long are started first, others in their order', () => {
  const ordered = longestFirst([...chooseTests([]).tests, ...chooseTests([], { long: true }).tests])
  const onCards = ordered.filter((file) => file.startsWith('test/gpu/'))
  assert.ok(onCards.includes('test/gpu/swiftshader.test.ts'))
  assert.deepEqual(ordered.slice(0, onCards.length), onCards)
  assert.match(ordered[onCards.length]!, /^test\/e2e\//)
  const units = ['test/conformance/unary.test.ts', 'test/unit/data/rows.test.ts', 'test/unit/pruning/masks.test.ts']
  assert.deepEqual(longestFirst([...units, 'test/e2e/sweep.test.ts']), ['test/e2e/sweep.test.ts', ...units])
})

test('flags go to node:test, and leave out the specs', () => {
  const chosen = chooseTests(['sweep', '--test-name-pattern=killed'])
  assert.deepEqual(chosen.flags, ['--test-name-pattern=killed'])
  assert.ok(chosen.tests.length > 0)
  assert.deepEqual(chosen.specs, [])
})

const resultOf = (name: string, seconds: number) => ({ file: resolve('test', name), seconds })

test('results are added up, after the files that took longest', () => {
  const folder = mkdtempSync(join(tmpdir(), 'secateur-results-'))
  try {
    const write = (name: string, results: object) => writeFileSync(join(folder, name), JSON.stringify(results))
    write('tests.json', {
      passed: 3,
      failed: 0,
      skipped: 1,
      files: [resultOf('a.test.ts', 0.25), resultOf('b.test.ts', 12)],
    })
    write('app.json', { passed: 2, failed: 0, skipped: 0, files: [resultOf('c.spec.ts', 3)] })
    assert.deepEqual(describeResults(folder, false).split('\n'), [
      'slowest of 3 files:',
      '   12.0 s  test/b.test.ts',
      '    3.0 s  test/c.spec.ts',
      '    0.3 s  test/a.test.ts',
      '5 passed, 0 failed, 1 skipped',
    ])
    // A run that ended before its tests did is a failure.
    assert.match(describeResults(folder, true), /5 passed, 1 failed, 1 skipped$/)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
