import assert from 'node:assert/strict'
import { test } from 'node:test'
import { backOff } from '../../../renderer/src/client/backoff.ts'
import { splitToken } from '../../../renderer/src/client/split-token.ts'
import { droppedPaths, pathsOfUris } from '../../../renderer/src/components/dropped-paths.ts'
import { numberWithin } from '../../../renderer/src/components/number-within.ts'
import { matching } from '../../../renderer/src/shell/matching.ts'
import { stageName } from '../../../renderer/src/names.ts'
import { addTags } from '../../../renderer/src/components/tags.ts'
import { href, idList, parseRoute } from '../../../renderer/src/router/routes.ts'
import { meaning } from '../../../renderer/src/shell/shortcuts.ts'

test('addresses name a screen, one thing on it and a query', () => {
  assert.deepEqual(parseRoute(''), { screen: 'library', id: null, query: new URLSearchParams() })
  assert.equal(parseRoute('#/library/3')?.id, 3)
  assert.equal(parseRoute('#/runs')?.screen, 'history')
  assert.equal(parseRoute('#/new?kind=prune&checkpoint=3')?.query.get('checkpoint'), '3')
  for (const wrong of ['#/nowhere', '#/library/0', '#/library/x', '#/library/3/4', '#/settings/1', '#/__proto__']) {
    assert.equal(parseRoute(wrong), null, wrong)
  }
})

test('what href writes is read back', () => {
  const address = href('compare', null, { runs: '1,2', note: 'a&b', nothing: null })
  assert.equal(address, '#/compare?runs=1,2&note=a%26b')
  assert.equal(parseRoute(address)?.query.get('note'), 'a&b')
  assert.deepEqual(idList(parseRoute(address)!.query.get('runs')), [1, 2])
})

test('a list of ids leaves out what is none', () => {
  assert.deepEqual(idList('3,1,3,x,-2,1e3,'), [3, 1])
  assert.deepEqual(idList(null), [])
})

test('the token is taken out of the fragment, with the screen behind it kept', () => {
  assert.deepEqual(splitToken('#token=a-b_9'), { token: 'a-b_9', rest: '' })
  assert.deepEqual(splitToken('#token=abc/library/3?x=1'), { token: 'abc', rest: '/library/3?x=1' })
  assert.equal(splitToken('#/library'), null)
  assert.equal(splitToken('#token='), null)
})

test('the pauses between attempts to connect grow to eight seconds', () => {
  assert.deepEqual([0, 1, 2, 5, 100].map(backOff), [250, 500, 1000, 8000, 8000])
})

test('numbers are read as people type them, and refused with the reason', () => {
  const limits = { min: 0, max: 10, whole: false }
  assert.deepEqual(numberWithin(' 1e-4 ', limits), { value: 1e-4 })
  assert.deepEqual(numberWithin('0,5', limits), { value: 0.5 })
  assert.deepEqual(numberWithin('', limits), { value: undefined })
  assert.deepEqual(numberWithin('1_000', { ...limits, max: 1000 }), { value: 1000 })
  assert.match(JSON.stringify(numberWithin('11', limits)), /most that can be set is 10/)
  assert.match(JSON.stringify(numberWithin('-1', limits)), /least that can be set is 0/)
  assert.match(JSON.stringify(numberWithin('1.5', { ...limits, whole: true })), /whole number/)
  for (const wrong of ['1.2.3', 'abc', '0x10', '1e999', '1,000', '12,000,000'])
    assert.ok('problem' in numberWithin(wrong, limits), wrong)
})

test('a tag is taken once, whatever its case', () => {
  assert.deepEqual(addTags(['Llama'], ' llama, small  model ,, x'), ['Llama', 'small model', 'x'])
  assert.equal(addTags([], 'y'.repeat(100))[0]?.length, 60)
})

test('dropped folders are known by the bridge, else by file addresses', () => {
  assert.deepEqual(
    droppedPaths(['a'], 'file:///b', (file) => `/${file}`),
    ['/a'],
  )
  assert.deepEqual(pathsOfUris('# comment\r\nfile:///my%20models/a\r\nhttps://x/y\nfile:///%zz'), ['/my models/a'])
})

test('keys lead somewhere, alone or one after the other', () => {
  assert.equal(meaning('?', null), 'help')
  assert.equal(meaning('/', null), 'search')
  assert.equal(meaning('g', null), 'prefix')
  assert.deepEqual(meaning('h', 'g'), { go: 'history' })
  assert.deepEqual(meaning('c', 'g'), { go: 'compare' })
  assert.equal(meaning('h', null), null)
})

test('the palette finds what has every word, with what begins with the first one before the rest', () => {
  const entries = [{ label: 'Register a data set' }, { label: 'Data sets' }, { label: 'train', detail: 'Data · text' }]
  const labels = (typed: string) => matching(entries, typed).map(({ label }) => label)
  assert.deepEqual(labels('data'), ['Data sets', 'Register a data set', 'train'])
  assert.deepEqual(labels('SET data '), ['Register a data set', 'Data sets'])
  assert.deepEqual(labels('text'), ['train'])
  assert.deepEqual(labels(''), ['Register a data set', 'Data sets', 'train'])
})

test('what a run is at names tasks as everything else does', () => {
  assert.equal(stageName('scoring dense: openbookqa'), 'Scoring dense: OpenBookQA')
  assert.equal(stageName('scoring: my own task'), 'Scoring: my own task')
  assert.equal(stageName('training'), 'Training')
})
