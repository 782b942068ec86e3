import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Outcome, sectionOf, sectionsOf } from '../../judges/page.ts'

const found = { agrees: true, versions: { torch: '2.1', peft: '0.2' }, text: 'All agree.\n\n| a | b |\n| --- | --- |' }
const judged = sectionOf('A judge', found, undefined, '2026-01-02')
const kept = (of: string, why: string) => after(of, { without: why })
const after = (of: string, outcome: Outcome['found']) =>
  sectionOf(
    'A judge',
    outcome,
    sectionsOf(`# Page\n\nHead.\n\n${of}\n## Next\n\n_Other._\n`).get('A judge'),
    '2027-01-01',
  )

test('a section says when it was judged, and by what', () => {
  assert.equal(judged, `## A judge\n\n_Judged on 2026-01-02: torch 2.1, peft 0.2._\n\n${found.text}\n`)
})

test('a section of a judge that did not run keeps what it found, and says why it did not', () => {
  const once = kept(judged, 'no network')
  assert.equal(
    once,
    `## A judge\n\n_Not judged on 2027-01-01 (no network). Judged on 2026-01-02: torch 2.1, peft 0.2._\n\n${found.text}\n`,
  )
  // Only the latest reason stays.
  assert.equal(kept(once, 'left out'), once.replace('no network', 'left out'))
})

test('a section of a judge that was not asked stays as it is', () => {
  for (const before of [judged, kept(judged, 'no network'), '## A judge\n\n_Never judged (no network)._\n'])
    assert.equal(after(before, 'not asked'), before)
})

test('a section that was never judged says so', () => {
  const never = sectionOf('A judge', { without: 'no network' }, undefined, '2026-01-02')
  assert.equal(never, '## A judge\n\n_Never judged (no network)._\n')
  assert.equal(kept(never, 'left out'), never.replace('no network', 'left out'))
})
