import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SpeedReport } from '../../../electron/contract/index.ts'
import { askedOf, firstDraft, lengthsOf } from '../../../renderer/src/screens/library/speed/speed-draft.ts'
import {
  ranNotes,
  speedCsv,
  speedLines,
  speedMarkdown,
} from '../../../renderer/src/screens/library/speed/speed-table.ts'

const ran = {
  runner: 'llama.cpp' as const,
  name: 'llama.cpp v1',
  type: 'f16',
  device: 'processor',
  threads: 2,
  why: null,
  proof: null,
}
const row = (checkpointId: number, name: string, share: number, type = 'f16') => ({
  checkpointId,
  name,
  ran: { ...ran, type },
  parameters: 1e9 * share,
  weightBytes: 2e9 * share,
  memoryBytes: 3e9 * share,
  lengths: [{ prompt: 128, promptTokensPerSecond: 100 / share, generatedTokensPerSecond: 10 / share }],
})
const report: SpeedReport = {
  id: 1,
  measured: Date.UTC(2026, 0, 2),
  processor: 'A processor',
  newTokens: 32,
  repeats: 3,
  rows: [row(1, 'dense', 1), row(2, 'small | er', 0.5), row(1, 'dense', 1, 'q8_0'), row(2, 'small | er', 0.5, 'q8_0')],
}

test('every type is held against the dense checkpoint in the same type', () => {
  const lines = speedLines(report)
  assert.deepEqual(
    lines.map(({ held }) => held),
    ['F16', 'F16', 'Q8_0', 'Q8_0'],
  )
  for (const at of [0, 2]) assert.ok(lines[at]!.cells.every(({ detail }) => detail === null || detail === '16 bits'))
  for (const at of [1, 3])
    assert.deepEqual(
      lines[at]!.cells.map(({ detail }) => detail),
      ['50%', '16 bits · 50%', '50%', '2×', '2×'],
    )
})

test('what Secateur ran says why llama.cpp did not, once', () => {
  const own = { ...ran, runner: 'secateur' as const, name: 'Secateur (onnx)', type: 'bfloat16', why: 'it has fins' }
  const rows = [1, 2].map((id) => ({ ...row(id, 'a', 1), ran: own }))
  assert.deepEqual(ranNotes({ ...report, rows }), [
    'Secateur (onnx) ran it as it is stored (processor, 2 threads). Not on llama.cpp: it has fins.',
  ])
  const card = { ...ran, device: 'A card', threads: 1, passed: ['CUDA: it finds no graphics card'] }
  assert.deepEqual(ranNotes({ ...report, rows: [{ ...row(1, 'a', 1), ran: card }] }), [
    'llama.cpp v1 ran it (A card, 1 thread). llama.cpp not on CUDA: it finds no graphics card.',
  ])
  assert.equal(speedLines({ ...report, rows })[1]!.held, 'bfloat16')
})

test('the table is told in Markdown and in CSV', () => {
  const lines = speedMarkdown(report, 'small | er').split('\n')
  assert.match(lines[2]!, /^\| Checkpoint \| Runs as \| Parameters/)
  assert.match(lines[5]!, /^\| small \\\| er \| F16 \| .*\(50%\).* 200 \(2×\) \| 20 \(2×\) \|$/)
  assert.match(lines.join('\n'), /medians of 3 runs, 32 tokens generated after each prompt/)
  const csv = speedCsv(report).trim().split('\r\n')
  assert.equal(csv.length, 5)
  assert.equal(
    csv[2],
    'small | er,llama.cpp v1,f16,2,500000000,1000000000,1500000000,128,200,20,32,3,2026-01-02T00:00:00.000Z,A processor',
  )
})

test('lengths are read as they are typed, and nothing is asked that the form does not say', () => {
  assert.deepEqual(lengthsOf(' 128,512; 8 8 '), { lengths: [128, 512, 8] })
  for (const text of ['', 'a', '1.5', '0', '-3', '1,2,3,4,5,6,7']) assert.ok('problem' in lengthsOf(text), text)
  const draft = firstDraft({ id: 7 })
  assert.deepEqual(askedOf(3, { ...draft, types: ['q8_0', 'f16'] }, false), {
    id: 3,
    beside: 7,
    types: ['f16', 'q8_0'],
    promptTokens: [128, 512],
    newTokens: 32,
    repeats: 3,
  })
  assert.equal(askedOf(3, draft, true)!.types, undefined)
  assert.equal(askedOf(3, { ...draft, types: [] }, false), null)
  assert.equal(askedOf(3, { ...draft, newTokens: undefined }, false), null)
  assert.equal(askedOf(3, firstDraft(null), false)!.beside, undefined)
})
