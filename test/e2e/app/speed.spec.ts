import type { Page } from '@playwright/test'
import { cpSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { faultsInBothThemes } from './accessibility.ts'
import { expect, test } from './fixtures.ts'
import { sample } from '../../../scripts/headless-host.ts'
import { pressOn, tabTo } from './keyboard.ts'
import { scratchFolder } from './scratch.ts'

// Each test goes on from where the last one ended.
test.describe.configure({ mode: 'serial' })

const scratch = scratchFolder('speed')
test.beforeAll(() => {
  for (const name of ['larger', 'smaller']) cpSync(join(sample, 'model'), scratch(name), { recursive: true })
})
const go = (page: Page, hash: string) => page.goto(new URL(hash, page.url()).href)
const sectionOf = (page: Page) => page.getByRole('region', { name: 'Speed', exact: true })
// Files for llama.cpp are written and compared before anything is measured.
const over = { timeout: 60_000 }

test('a checkpoint is measured beside another in two types, and the table says what ran it', async ({
  app: { page, shell },
}) => {
  // Two of its own: which others the library holds depends on the specs that ran in this app before.
  for (const name of ['larger', 'smaller']) {
    await go(page, '#/library?import=1')
    const dialog = page.getByRole('dialog', { name: 'Import a checkpoint' })
    await dialog.getByLabel('Folder').fill(scratch(name))
    await dialog.getByRole('button', { name: 'Import', exact: true }).click()
    await expect(dialog).toBeHidden()
  }
  await page.getByRole('heading', { level: 2 }).getByRole('link', { name: 'smaller', exact: true }).click()
  const section = sectionOf(page)
  await expect(section).toContainText('Not measured yet.')
  await section.getByRole('checkbox', { name: /^Q4_K_M/ }).uncheck()
  await section.getByRole('checkbox', { name: /^F16/ }).uncheck()
  await expect(section.getByText('Choose one of them at least.')).toBeVisible()
  const measure = section.getByRole('button', { name: 'Measure the speed' })
  await expect(measure).toBeDisabled()
  await section.getByRole('checkbox', { name: /^F16/ }).check()
  await section.getByRole('checkbox', { name: /^Q8_0/ }).check()
  await section.getByLabel('Prompts of').fill('8 or 16')
  await expect(section.getByText('Write lengths as whole numbers')).toBeVisible()
  await expect(measure).toBeDisabled()
  await section.getByLabel('Prompts of').fill('8, 16')
  await section.getByLabel('New tokens').fill('4')
  await section.getByLabel('Repeats').fill('1')
  await section.getByRole('combobox', { name: 'Beside' }).click()
  await page.getByRole('option', { name: 'larger' }).click()
  expect(await faultsInBothThemes(page, shell)).toEqual([])
  await tabTo(page, measure)
  await page.keyboard.press('Enter')
  const table = section.getByRole('table')
  await expect(table).toBeVisible(over)
  await expect(table.getByRole('columnheader')).toHaveText([
    'Checkpoint',
    'Runs as',
    'Parameters',
    'Weights',
    'Memory',
    'Prompt of 8tokens/s',
    'After 8tokens/s',
    'Prompt of 16tokens/s',
    'After 16tokens/s',
  ])
  const rows = table.getByRole('row', { name: /^smaller/ })
  // Each has what it is of the other one, as many parameters and bytes: where llama.cpp is missing, Secateur answers in one
  // form for all types.
  await expect(rows.first()).toContainText(/^smaller.* 100%.* · 100%.*×.*×/)
  await expect(section).toContainText(/llama\.cpp v[^(]+ ran it \(|Not on llama\.cpp: /)
  await expect(section.getByRole('status')).toHaveText(/^Measured: /)
  // The button said another thing meanwhile, and is the same one.
  await expect(measure).toBeFocused()
  expect(await faultsInBothThemes(page, shell)).toEqual([])
})

test('it is there with its date when the page is opened again, and is saved as a table', async ({ app: { page } }) => {
  await page.reload()
  const section = sectionOf(page)
  await expect(section).toContainText(/Measured on .* medians of 1 run, 4 tokens generated after each prompt/)
  await expect(section.getByRole('checkbox', { name: /^F16/ })).toBeHidden()
  await section.getByRole('button', { name: 'Export' }).click()
  const [saved] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('menuitem', { name: 'Table (CSV)' }).click(),
  ])
  const lines = readFileSync(await saved.path(), 'utf8')
    .trim()
    .split('\r\n')
  expect(lines[0]).toMatch(/^Checkpoint,Runner,Type,Threads,Parameters,Weight bytes,Memory bytes,Prompt tokens/)
  expect(lines.filter((line) => line.startsWith('smaller,')).length).toBeGreaterThanOrEqual(2)
})

test('a measurement is cancelled, measured again and forgotten with the keyboard alone', async ({ app: { page } }) => {
  const section = sectionOf(page)
  await pressOn(page, section.getByText('Measure again'))
  await pressOn(page, section.getByLabel('Repeats'), 'Control+a')
  await page.keyboard.type('1000')
  await pressOn(page, section.getByRole('button', { name: 'Measure the speed' }))
  await expect(section.getByRole('progressbar', { name: 'Measuring the speed' })).toBeVisible()
  await pressOn(page, section.getByRole('button', { name: 'Cancel the measurement' }))
  await expect(section.getByRole('status')).toHaveText('The measurement was cancelled.', over)
  await pressOn(page, section.getByLabel('Repeats'), 'Control+a')
  await page.keyboard.type('1')
  await pressOn(page, section.getByRole('checkbox', { name: /^Q4_K_M/ }), 'Space')
  await pressOn(page, section.getByLabel('Prompts of'), 'Control+a')
  await page.keyboard.type('8')
  await pressOn(page, section.getByRole('button', { name: 'Measure the speed' }))
  await expect(section.getByRole('combobox', { name: /^Measurement/ })).toBeVisible(over)
  await expect(section.getByRole('columnheader')).toHaveCount(7)
  await pressOn(page, section.getByRole('button', { name: /^Forget the measurement/ }))
  await expect(section.getByRole('columnheader')).toHaveCount(9)
  await page
    .getByRole('group', { name: /^Measurement forgotten/ })
    .getByRole('button', { name: 'Undo' })
    .click()
  await expect(section.getByRole('columnheader')).toHaveCount(7)
})
