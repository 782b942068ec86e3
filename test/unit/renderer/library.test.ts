import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CheckpointSummary } from '../../../electron/contract/index.ts'
import { filterCheckpoints, isFiltered, readFilter, writeFilter } from '../../../renderer/src/screens/library/filter.ts'
import { fitRows } from '../../../renderer/src/screens/library/fits.ts'
import { foldSweeps, keyOfEntry, parameterRange } from '../../../renderer/src/screens/library/fold.ts'
import { layerBars, summary } from '../../../renderer/src/screens/library/layer-bars.ts'
import { layOut } from '../../../renderer/src/screens/library/lineage-layout.ts'
import { bytesToCopy } from '../../../renderer/src/screens/library/places/space.ts'
import { meanOf, tasksOf } from '../../../renderer/src/screens/library/scores.ts'
import { parseRoute, href } from '../../../renderer/src/router/routes.ts'

const checkpoint = (id: number, facts: Partial<CheckpointSummary>): CheckpointSummary => ({
  id,
  name: `model ${id}`,
  path: `/models/${id}`,
  storage: 'in-place',
  kind: 'base',
  family: 'llama',
  parameters: id * 1e6,
  dtype: 'float16',
  format: 'safetensors',
  bytes: id * 1e9,
  tokenizer: 'tokenizer.json',
  images: null,
  status: 'present',
  mount: '/',
  fits: null,
  runId: null,
  sweep: null,
  tags: [],
  notes: '',
  favourite: false,
  added: id,
  duplicates: [],
  contentHash: null,
  ...facts,
})
const all = [
  checkpoint(1, { name: 'Llama 7B', tags: ['paper'], bytes: 13.5e9 }),
  checkpoint(2, { name: 'Llama 7B pruned', kind: 'pruned', bytes: 7e9 }),
  checkpoint(3, { name: 'Qwen 10', family: 'qwen2', favourite: true, bytes: 0.5e9 }),
  checkpoint(4, { name: 'Qwen 2', family: 'qwen2', bytes: 0.6e9, notes: 'from the paper' }),
]
const names = (query: string) => filterCheckpoints(all, readFilter(new URLSearchParams(query))).map((one) => one.name)

test('every word of a search is looked for in names, notes and tags', () => {
  assert.deepEqual(names('search=paper'), ['Qwen 2', 'Llama 7B'])
  assert.deepEqual(names('search=llama+PRUNED'), ['Llama 7B pruned'])
  assert.deepEqual(names('search=llama+qwen'), [])
})

test('filters narrow together', () => {
  assert.deepEqual(names('family=qwen2&size=small'), ['Qwen 10', 'Qwen 2'])
  assert.deepEqual(names('size=large'), ['Llama 7B'])
  assert.deepEqual(names('kind=pruned&tag=paper'), [])
})

test('favourites come first, whatever the order', () => {
  assert.deepEqual(names(''), ['Qwen 10', 'Qwen 2', 'Llama 7B pruned', 'Llama 7B'])
  assert.deepEqual(names('sort=size'), ['Qwen 10', 'Llama 7B', 'Llama 7B pruned', 'Qwen 2'])
})

test('numbers in names are ordered as numbers', () => {
  const unstarred = [checkpoint(1, { name: 'v10' }), checkpoint(2, { name: 'v9' })]
  const sorted = filterCheckpoints(unstarred, readFilter(new URLSearchParams('sort=name')))
  assert.deepEqual(
    sorted.map((one) => one.name),
    ['v9', 'v10'],
  )
})

test('a filter survives its address, and what is no filter is left out of it', () => {
  const filter = readFilter(new URLSearchParams('search=a b&size=huge&sort=name&kind=pruned'))
  assert.deepEqual(readFilter(parseRoute(href('library', null, writeFilter(filter)))!.query), filter)
  assert.equal(
    href('library', null, writeFilter(readFilter(new URLSearchParams('size=constructor&sort=x')))),
    '#/library',
  )
  assert.ok(isFiltered(filter))
  assert.ok(!isFiltered(readFilter(new URLSearchParams('sort=name'))))
})

test('layers are drawn against what they had before pruning', () => {
  const layers = [
    { heads: 4, keyValueHeads: 2, channels: 100 },
    { heads: 8, keyValueHeads: 4, channels: 50 },
  ]
  const dense = { heads: 8, keyValueHeads: 4, channels: 100 }
  const bars = layerBars(layers, [dense, dense])
  assert.deepEqual(bars[0], { heads: { kept: 4, of: 8 }, channels: { kept: 100, of: 100 } })
  assert.match(summary(bars.map(({ heads }) => heads)), /^12 of 16 kept \(75\s?%\), 4 to 8 a layer$/)
  assert.equal(summary(layerBars([dense, dense], null).map(({ heads }) => heads)), '8 in each layer')
})

const node = (key: string) => ({ key, kind: 'checkpoint' as const, id: 1, name: key, detail: 'base', folded: 0 })

test('a lineage runs from left to right, with an edge only between nodes that are there', () => {
  const { nodes, edges, width } = layOut({
    nodes: [node('c'), node('a'), node('b')],
    edges: [
      { from: 'a', to: 'b' },
      { from: 'b', to: 'c' },
      { from: 'b', to: 'gone' },
    ],
  })
  assert.deepEqual(
    nodes.map(({ key }) => key),
    ['a', 'b', 'c'],
  )
  assert.equal(edges.length, 2)
  assert.ok(edges.every(({ path }) => /^M[\d.]+,[\d.]+ [CL]/.test(path)))
  assert.ok(nodes.every(({ x, y, width: own }) => x >= 0 && y >= 0 && x + own <= width))
})

test('a mean is of all tasks or of none', () => {
  const task = { acc: 0.5, stderr: 0.1, n: 10 }
  const scores = { tasks: { boolq: task, piqa: { ...task, acc: 0.7 } }, perplexity: {} }
  const order = tasksOf([{ scores: { tasks: { piqa: task }, perplexity: {} } }, { scores }])
  assert.deepEqual(order, ['boolq', 'piqa'])
  assert.ok(Math.abs(meanOf(scores, order)! - 0.6) < 1e-12)
  assert.equal(meanOf({ tasks: { piqa: task }, perplexity: {} }, order), null)
})

test('what fits this computer is said with its precision and place, and what does not with the reason', () => {
  const fit = {
    fits: true,
    precision: 'bfloat16',
    reduced: false,
    memoryBytes: 4e9,
    placement: 'card',
    detail: null,
  } as const
  const [train, prune, run] = fitRows({
    computerBytes: 2e10,
    train: { ...fit, precision: '8-bit', reduced: true, placement: 'processor' },
    prune: { ...fit, fits: false, memoryBytes: 3e10, detail: 'Needs about 30.00 GB of memory.' },
    run: fit,
  })
  assert.equal(
    train!.sentence,
    'Train: fits in 8-bit on the CPU, with 4 GB of memory. With a micro-batch size of 1 and gradient checkpointing.',
  )
  assert.equal(prune!.sentence, 'Prune: does not fit. Needs about 30.00 GB of memory.')
  assert.deepEqual([run!.fits, run!.precision, run!.place, run!.note], [true, 'bfloat16', 'GPU', ''])
})

test('a move needs room for what is on other drives', () => {
  const some = [checkpoint(1, { mount: '/' }), checkpoint(2, { mount: '/media/big' }), checkpoint(3, { mount: null })]
  assert.equal(bytesToCopy(some, '/media/big'), 4e9)
})

test('what the runs of a sweep wrote is folded under it, at the place of the first, until it is opened', () => {
  const sweep = { id: 7, name: 'Two criteria' }
  const list = [
    checkpoint(1, {}),
    checkpoint(2, { sweep, parameters: 3e6 }),
    checkpoint(3, { sweep: { id: 8, name: 'One alone' } }),
    checkpoint(4, { sweep, parameters: 1e6 }),
  ]
  const keys = (open: number[]) => foldSweeps(list, (id) => open.includes(id)).map(keyOfEntry)
  assert.deepEqual(keys([]), ['1', 'sweep-7', '3'])
  assert.deepEqual(keys([7]), ['1', 'sweep-7', '2', '4', '3'])
  const [, folded] = foldSweeps(list, () => false)
  assert.ok(folded?.type === 'sweep')
  assert.equal(parameterRange(folded.members, String), '1000000–3000000')
  assert.equal(parameterRange(folded.members.slice(1), String), '1000000')
})
