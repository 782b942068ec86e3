import type { Page } from '@playwright/test'
import { cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { faultsInBothThemes, seriousFaults } from './accessibility.ts'
import { expect, test } from './fixtures.ts'
import { pressOn } from './keyboard.ts'
import { scratchFolder } from './scratch.ts'

// From a checkpoint to a file for another program, each test from where the last one ended.
test.describe.configure({ mode: 'serial' })
// flow.spec.ts starts from an empty library.
test.use({ appOf: 'exports' })

const scratch = scratchFolder('export')
const go = (page: Page, hash: string) => page.goto(new URL(hash, page.url()).href)
const size = (page: Page) => page.getByRole('region', { name: 'Size' })
const start = (page: Page) => page.getByRole('button', { name: 'Export', exact: true })

const model = 'Sample of text'

test('an empty library shows the way to a run, and fills in a first one with the sample', async ({
  app: { page, shell },
}) => {
  await go(page, '#/library')
  await expect(page.getByRole('list', { name: 'From a model to a run' })).toContainText(/Model.*Data.*Run/s)
  expect(await faultsInBothThemes(page, shell)).toEqual([])
  await pressOn(page, page.getByRole('button', { name: 'Try the sample' }))
  // A checkpoint and its files are read before, while every other test starts.
  await expect(page.getByRole('heading', { level: 1, name: 'New run' })).toBeVisible({ timeout: 30_000 })
  const main = page.getByRole('main')
  await expect(main.getByRole('radio', { name: /^Whole pipeline/ })).toBeChecked()
  await expect(main.getByRole('combobox', { name: 'Checkpoint' })).toHaveValue(model)
  await expect(main.getByRole('checkbox', { name: /^Sample text(?!,)/ }).first()).toBeChecked()
  await expect(main.getByRole('button', { name: /^Quick look/ })).toHaveAttribute('aria-pressed', 'true')
  await expect(main).toContainText('Sample questions, PIQA')
  const startRun = main.getByRole('button', { name: 'Start', exact: true })
  await expect(startRun).toBeEnabled({ timeout: 30_000 })
  // However much there is to say of the estimate.
  await page.setViewportSize({ width: 1024, height: 700 })
  await expect(startRun).toBeInViewport()
  expect(await seriousFaults(page, shell)).toEqual([])
  await page.setViewportSize({ width: 1280, height: 900 })
})

test('the page of a checkpoint says which programs load it, and leads to its export', async ({ app: { page } }) => {
  await go(page, '#/library')
  await page.getByRole('article').getByRole('link', { name: model, exact: true }).click()
  const compatibility = page.getByRole('region', { name: 'Compatibility' })
  for (const program of ['transformers', 'llama.cpp', 'ONNX Runtime', 'Secateur'])
    await expect(compatibility.getByRole('listitem').filter({ hasText: program }).first()).toContainText('yes')
  await page.getByRole('main').getByRole('link', { name: 'Export' }).click()
  await expect(page.getByRole('heading', { level: 1, name: `Export ${model}` })).toBeVisible()
  await expect(page.getByRole('region', { name: 'What will load it' })).toContainText('llama.cpp: yes')
})

test('a place that is taken, or where nothing can be put, is named beside its field and the button', async ({
  app: { page },
}) => {
  writeFileSync(scratch('taken.gguf'), 'mine')
  const file = page.getByLabel('File', { exact: true })
  await expect(file).toHaveValue(/-Q8_0\.gguf$/)
  for (const [place, message] of [
    [scratch('taken.gguf'), /taken\.gguf: already exists/],
    [scratch('taken.gguf/model.gguf'), /taken\.gguf is a file, not a folder/],
  ] as const) {
    await file.fill(place)
    await expect(file).toHaveAccessibleDescription(message)
    await expect(start(page)).toBeDisabled()
    await expect(start(page)).toHaveAccessibleDescription(message)
  }
})

test('a file is written, proved and entered with its lineage, by the keyboard alone', async ({
  app: { page, shell },
}) => {
  const folder = scratch('out')
  mkdirSync(folder)
  await pressOn(page, page.getByRole('radio', { name: /^Q8_0/ }), 'Space')
  await pressOn(page, page.getByLabel('File', { exact: true }), 'Control+a')
  await page.keyboard.type(join(folder, 'sample.gguf'))
  const calibration = page.getByLabel('Calibration text (optional)')
  await calibration.fill(scratch('nowhere.txt'))
  await expect(start(page)).toBeEnabled()
  await pressOn(page, start(page))
  await expect(calibration).toHaveAccessibleDescription(/nowhere\.txt does not exist/)
  await calibration.fill('')
  await expect(start(page)).toBeEnabled()
  await expect(size(page)).toContainText(/\d [kM]B/)
  await pressOn(page, start(page))
  await expect(page.getByRole('heading', { level: 1, name: `${model} as GGUF, q8_0` })).toBeVisible()
  const result = page.getByRole('region', { name: 'Result' })
  await expect(result).toContainText(/Proof\. Log-likelihoods of [\d,]+ tokens in \d texts differ .* at most 0\./, {
    timeout: 40_000,
  })
  expect(readdirSync(folder).sort()).toEqual(['sample.README.md', 'sample.gguf'])
  await expect(result.getByRole('button', { name: 'Copy the command' })).toBeVisible()
  expect(await seriousFaults(page, shell)).toEqual([])
  await result.getByRole('link', { name: 'Open in the library' }).click()
  const facts = page.getByRole('region', { name: 'Facts' })
  await expect(facts).toContainText('Q8_0')
  await expect(facts).toContainText(/bits a weight/)
  await expect(page.getByRole('region', { name: 'Export' })).toContainText('Proof.')
  const lineage = page.getByRole('group', { name: 'Lineage graph' })
  await expect(lineage.getByRole('link')).toHaveCount(3)
  await lineage
    .getByRole('link', { name: new RegExp(`^${model}`) })
    .first()
    .click()
  await expect(page.getByRole('heading', { level: 1, name: model, exact: true })).toBeVisible()
  await expect(lineage.getByRole('link', { name: /sample/ })).toBeVisible()
})

test('an export that is cancelled leaves nothing, and its settings can be taken up again', async ({
  app: { page },
}) => {
  await page.getByRole('main').getByRole('link', { name: 'Export', exact: true }).click()
  await page.getByRole('radio', { name: /^Q4_K_M/ }).check()
  await page.getByLabel('File', { exact: true }).fill(scratch('out/cancelled.gguf'))
  await start(page).click()
  await page.getByRole('button', { name: 'Cancel', exact: true }).click()
  await expect(page.getByRole('alertdialog')).toContainText('nothing is left')
  await page.getByRole('alertdialog').getByRole('button', { name: 'Cancel the run' }).click()
  await expect(page.getByRole('main').getByText('Cancelled', { exact: true }).first()).toBeVisible({ timeout: 30_000 })
  expect(existsSync(scratch('out/cancelled.gguf'))).toBe(false)
  await page.getByRole('link', { name: 'Clone' }).click()
  await expect(page.getByRole('radio', { name: /^Q4_K_M/ })).toBeChecked()
})

test('a GGUF file is taken into the library, which says that it was quantised', async ({ app }) => {
  const { page } = app
  cpSync(scratch('out/sample.gguf'), scratch('friend.gguf'))
  await go(page, '#/library?import=1')
  const dialog = page.getByRole('dialog', { name: 'Import a checkpoint' })
  await app.choose(scratch('friend.gguf'), () => dialog.getByRole('button', { name: 'Browse for GGUF…' }).click())
  await dialog.getByRole('button', { name: 'Import', exact: true }).click()
  await expect(dialog).toBeHidden()
  await page.getByRole('heading', { level: 2 }).getByRole('link', { name: 'friend', exact: true }).click()
  await expect(page.getByText(/^friend\.gguf is quantised/)).toBeVisible()
  await expect(page.getByRole('region', { name: 'Facts' })).toContainText(/Quantised.*8\.5\d bits a weight: Q8_0/)
  await expect(page.getByRole('region', { name: 'Compatibility' })).toContainText('llama.cpp: yes')
})
