import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { filesIn } from './files.ts'
import { placeIn, runInput } from './run-input.ts'
import { type Finding, foundFolder, fuzz } from './runner.ts'
import { targetNames, targets } from './targets/index.ts'

const scratch = mkdtempSync(join(tmpdir(), 'secateur-found-'))
after(() => rmSync(scratch, { recursive: true, force: true }))

/** Inputs of each parser: the same ones every time. */
const count = 40
const seed = 1

test(`${count} mutated inputs of every parser are read or refused, and leave nothing behind`, async () => {
  const findings: Finding[] = []
  const turns = targetNames.map((target) => ({ target, from: 0, to: count, milliseconds: 120_000 }))
  const read = await fuzz(seed, turns, (finding) => findings.push(finding))
  assert.deepEqual(
    findings.map(({ target, at, wrong }) => `${target}, input ${at}: ${wrong}`),
    [],
  )
  assert.deepEqual(
    read,
    turns.map(() => count),
  )
})

for (const name of targetNames) {
  const folder = join(foundFolder, name)
  const inputs = existsSync(folder) ? readdirSync(folder) : []
  if (inputs.length > 0)
    test(`what once went wrong does so no more: ${name}`, async () => {
      const target = await targets[name]()
      await target.seeds()
      try {
        for (const input of inputs)
          assert.equal(await runInput(target, filesIn(join(folder, input)), placeIn(join(scratch, name))), null, input)
      } finally {
        await target.close?.()
      }
    })
}
