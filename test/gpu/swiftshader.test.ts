import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { failuresIn, quickFiles, runOnCard } from './run-on-card.ts'

// SwiftShader comes with Chromium: a Vulkan driver that computes on the processor.
const folder = '/usr/lib/chromium'
const driver = `${folder}/vk_swiftshader_icd.json`
const skip = existsSync(driver) ? false : `no ${driver}: Debian's package chromium has it`

// One process for all: what is compiled for the card once takes most of the time.
test('everything that holds on any back end, and what is promised of cards, on the back end webgpu', { skip }, (t) => {
  const { passed, output } = runOnCard(quickFiles, { VK_ICD_FILENAMES: driver, LD_LIBRARY_PATH: folder })
  assert.ok(passed, failuresIn(output))
  const count = Number(/^ℹ pass (\d+)$/m.exec(output)?.[1])
  t.diagnostic(`${count} tests passed`)
  assert.ok(count > 1200, `only ${count} tests were run`)
})
