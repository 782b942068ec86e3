import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { strftime } from '../../../engine/tokenizer/jinja/globals.ts'
import { PythonTemplate } from '../../../engine/tokenizer/jinja/template.ts'

// Written by make_jinja_fixture.py, which says how.
const { context, templates } = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../fixtures/jinja.json'), 'utf8'),
) as { context: Record<string, unknown>; templates: [template: string, expected: string | null][] }

const render = (source: string) => new PythonTemplate(source).render(context)

for (const [source, expected] of templates)
  test(`as Python's Jinja2: ${source}`, () => {
    if (expected === null) assert.throws(() => render(source))
    else assert.equal(render(source), expected)
  })

test('dates are English, whatever the language of the machine', () => {
  const date = new Date(2026, 2, 5, 14, 7, 9)
  assert.equal(
    strftime(date, '%d %b %Y, %A %B %-d %H:%M:%S %I %p %%'),
    '05 Mar 2026, Thursday March 5 14:07:09 02 PM %',
  )
  assert.throws(() => strftime(date, '%Q'), /%Q is not known/)
})
