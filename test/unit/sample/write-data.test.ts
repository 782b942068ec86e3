import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { writeData } from '../../../scripts/make-sample/write-data.ts'

test('the files in resources are those that the script makes', () => {
  const resources = path.join(import.meta.dirname, '../../../resources/sample')
  const folder = mkdtempSync(path.join(tmpdir(), 'secateur-sample-'))
  try {
    writeData(folder)
    const made = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    const written = made.filter((name) => statSync(path.join(folder, name)).isFile())
    assert.ok(written.length >= 14, written.join(', '))
    for (const name of written) {
      const same = readFileSync(path.join(folder, name)).equals(readFileSync(path.join(resources, name)))
      assert.ok(same, `${name} differs: run npm run make-sample`)
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
})
