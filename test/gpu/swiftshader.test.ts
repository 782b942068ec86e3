import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { failuresIn, quickFiles, runOnCard } from './run-on-card.ts'

// SwiftShader comes with Chromium: a Vulkan driver that computes on the processor.
const folder = '/usr/lib/chromium'
const driver = `${folder}/vk_swiftshader_icd.json`
const skip = existsSync(driver) ? false : `no ${driver}: Debian's package chromium has it`

for (const file of quickFiles)
  test(`${file} on the back end webgpu`, { skip }, () => {
    const { passed, output } = runOnCard(file, { VK_ICD_FILENAMES: driver, LD_LIBRARY_PATH: folder })
    assert.ok(passed, failuresIn(output))
  })
