import type { Page } from '@playwright/test'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from './fixtures.ts'
import { sample } from '../../../scripts/headless-host.ts'
import { scratchFolder } from './scratch.ts'

// One user's way through the app, each test from where the last one ended.
test.describe.configure({ mode: 'serial' })

const scratch = scratchFolder('flow')

const go = (page: Page, hash: string) => page.goto(new URL(hash, page.url()).href)
const stateOf = (page: Page, state: string) => page.getByRole('main').getByText(state, { exact: true }).first()
/** The step that the page shows. The first one may be long in coming where the machine is busy. */
const step = async (page: Page) => {
  const shown = page.getByRole('definition').filter({ hasText: / of / }).first()
  return Number(/^(\d+) of/.exec((await shown.textContent({ timeout: 40_000 })) ?? '')?.[1])
}

async function openImport(page: Page): Promise<void> {
  await go(page, '#/library')
  await page.getByRole('button', { name: 'Import checkpoint' }).first().click()
}

test('a folder that is no sound checkpoint is refused with what is wrong and where', async ({ app: { page } }) => {
  const bad = scratch('bad')
  mkdirSync(bad)
  writeFileSync(join(bad, 'config.json'), '{"model_type":"llama","hidden_size":"large"}')
  writeFileSync(join(bad, 'model.safetensors'), Buffer.from([255, 255, 255, 255, 255, 255, 255, 127]))
  await openImport(page)
  const dialog = page.getByRole('dialog', { name: 'Import a checkpoint' })
  await expect(dialog.getByLabel('Folder')).toBeFocused()
  for (const [folder, message] of [
    [bad, /config\.json|model\.safetensors/],
    [scratch('nowhere'), /nowhere/],
  ] as const) {
    await dialog.getByLabel('Folder').fill(folder)
    await dialog.getByRole('button', { name: 'Import', exact: true }).click()
    await expect(dialog.getByRole('alert')).toContainText(message)
    await expect(dialog.getByRole('button', { name: 'Import', exact: true })).toBeFocused()
  }
  await dialog.getByRole('button', { name: 'Cancel' }).click()
  await expect(page.getByText('No checkpoints yet')).toBeVisible()
})

test('the sample is imported by browsing to it, with its facts read from the headers', async ({ app }) => {
  const { page } = app
  await openImport(page)
  const dialog = page.getByRole('dialog', { name: 'Import a checkpoint' })
  await app.choose(join(sample, 'model'), () => dialog.getByRole('button', { name: 'Browse…' }).click())
  await expect(dialog.getByLabel('Folder')).toHaveValue(join(sample, 'model'))
  await dialog.getByRole('button', { name: 'Import', exact: true }).click()
  await expect(dialog).toBeHidden()
  await page.getByRole('main').getByRole('link', { name: 'model' }).first().click()
  await expect(page.getByRole('heading', { level: 1, name: 'model' })).toBeVisible()
  await expect(page.getByRole('main')).toContainText('Llama')
})

test('a pruning run starts from the form and is watched live', async ({ app }) => {
  test.setTimeout(120_000)
  const { page } = app
  await go(page, '#/new')
  await page.getByRole('radio', { name: /^Prune/ }).check()
  await page.getByRole('combobox', { name: 'Checkpoint' }).click()
  await page.getByRole('option', { name: /model/ }).first().click()
  const data = page.getByRole('region', { name: 'Checkpoint and data' })
  // What is missing is gone to, from a control that takes Enter as its own too.
  await page
    .getByRole('main')
    .getByRole('combobox', { name: /^Uniform layers/ })
    .focus()
  await page.keyboard.press('Control+Enter')
  await expect(data.getByRole('button', { name: 'Browse…' })).toBeFocused()
  await expect(data).toContainText('Choose at least one data set')
  await app.choose(join(sample, 'train.jsonl'), () => data.getByRole('button', { name: 'Browse…' }).click())
  await page.getByRole('button', { name: /^Quick look/ }).click()
  const main = page.getByRole('main')
  await main.getByText('Optimiser', { exact: true }).click()
  const rate = main.getByLabel('Learning rate', { exact: true })
  await rate.fill('much')
  await rate.fill('')
  await expect(rate).toBeFocused()
  await page.getByLabel('Find a setting').fill('max_steps')
  const steps = main.getByLabel('Steps', { exact: true })
  await steps.fill('none')
  await page.getByLabel('Find a setting').fill('')
  await expect(steps).toBeHidden()
  await page.keyboard.press('Control+Enter')
  await expect(steps).toBeFocused()
  await steps.fill('40')
  await expect(page.getByRole('button', { name: 'Copy as a command' })).toBeVisible()
  await page.getByLabel('Find a setting').fill('sequence length')
  await page.getByRole('main').getByLabel('Sequence length', { exact: true }).fill('48')
  await page.getByLabel('Find a setting').fill('save')
  await page.getByRole('main').getByLabel('Save every', { exact: true }).fill('5')
  await page.getByLabel('Name').fill('First run')
  await expect(page.getByRole('complementary', { name: 'Estimate and start' })).toContainText(/parameters/i)
  await page.keyboard.press('Control+Enter')
  await expect(page.getByRole('heading', { level: 1, name: 'First run' })).toBeVisible()
  await expect(stateOf(page, 'Running')).toBeVisible({ timeout: 30_000 })
  await expect.poll(() => step(page), { timeout: 40_000 }).toBeGreaterThan(2)
  const phase = page.getByRole('list', { name: 'Phases of the run' }).locator('[aria-current="step"]')
  await expect(phase).toContainText('Train and prune')
  await expect(page.getByRole('region', { name: 'State of the run' })).toContainText(/%.*left|Estimating the time left/)
})

test('a reload in the middle loses nothing', async ({ app: { page } }) => {
  const before = await step(page)
  await page.reload()
  await expect(page.getByRole('heading', { level: 1, name: 'First run' })).toBeVisible()
  await expect.poll(() => step(page)).toBeGreaterThanOrEqual(before)
})

test('the run is cancelled with its state saved, and resumed to its end', async ({ app: { page } }) => {
  test.setTimeout(120_000)
  await expect.poll(() => step(page), { timeout: 40_000 }).toBeGreaterThan(6)
  await page.getByRole('button', { name: 'Cancel', exact: true }).click()
  await page.getByRole('button', { name: 'Cancel the run' }).click()
  await expect(stateOf(page, 'Cancelled')).toBeVisible({ timeout: 30_000 })
  await page.getByRole('button', { name: 'Resume' }).click()
  await expect(stateOf(page, 'Running')).toBeVisible({ timeout: 30_000 })
  await expect(stateOf(page, 'Done')).toBeVisible({ timeout: 80_000 })
  await expect(page.getByRole('main')).toContainText('Parameters')
  const system = page.getByRole('region', { name: 'System' })
  await expect(system).toContainText('Processor')
  await system.getByRole('button', { name: 'Table of Memory of the computer' }).click()
  await expect(system.getByRole('row').nth(1)).toContainText(/[GM]B/)
  const log = page.getByRole('log')
  await expect(page.getByRole('region', { name: 'State of the run' })).toContainText(/Done .*, after \d+/)
  await expect(log).toContainText(/stopped after step \d+[^]*back end: onnx[^]*selection after step 37[^]*done after/)
})

test('a clone with one change runs beside it, and both stand in the history', async ({ app: { page } }) => {
  test.setTimeout(120_000)
  await page.getByRole('link', { name: 'Clone' }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'Clone of First run' })).toBeVisible()
  await page.getByLabel('Find a setting').fill('steps')
  await page.getByRole('main').getByLabel('Steps', { exact: true }).fill('12')
  await page.getByLabel('Find a setting').fill('seed')
  await page.getByRole('main').getByLabel('Seed', { exact: true }).fill('7')
  await page.getByLabel('Name').fill('Second run')
  await page.getByRole('button', { name: 'Start', exact: true }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'Second run' })).toBeVisible()
  await expect(stateOf(page, 'Done')).toBeVisible({ timeout: 100_000 })
  await go(page, '#/history')
  const grid = page.getByRole('grid')
  await expect(grid.getByRole('row', { name: /First run/ })).toBeVisible()
  await expect(grid.getByRole('row', { name: /Second run/ })).toBeVisible()
})

test('the two runs are compared by what differs', async ({ app: { page } }) => {
  await page.getByRole('checkbox', { name: 'Select First run' }).check()
  await page.getByRole('checkbox', { name: 'Select Second run' }).check()
  await page
    .getByRole('main')
    .getByRole('button', { name: /^Compare/ })
    .or(page.getByRole('main').getByRole('link', { name: /^Compare/ }))
    .first()
    .click()
  await expect(page).toHaveURL(/#\/compare\?runs=/)
  const main = page.getByRole('main')
  await expect(main).toContainText('First run')
  await expect(main).toContainText('Second run')
  await expect(main.getByRole('row', { name: /Seed/ })).toContainText('7')
})

test('a run goes into an archive, and comes back from it with its name and result', async ({ app }) => {
  const { page } = app
  const folder = scratch('archives')
  mkdirSync(folder)
  await go(page, '#/history')
  const rows = page.getByRole('grid').getByRole('row', { name: /Second run/ })
  await page.getByRole('checkbox', { name: 'Select Second run' }).check()
  await app.choose(folder, () => page.getByRole('button', { name: 'Export archive' }).click())
  await expect(page.getByText(/^Archive written: .*second-run\.secateur-run\.tar\.gz$/)).toBeVisible()
  await page.getByRole('button', { name: 'Import', exact: true }).click()
  await app.choose(join(folder, 'second-run.secateur-run.tar.gz'), () =>
    page.getByRole('menuitem', { name: 'Archive of a run…' }).click(),
  )
  const told = page.getByRole('group', { name: /^Second run is in the history now/ })
  await told.getByRole('button', { name: 'Open' }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'Second run' })).toBeVisible()
  await expect(stateOf(page, 'Done')).toBeVisible()
  await expect(page.getByRole('region', { name: 'Result' })).toContainText('Parameters')
  await go(page, '#/history')
  await expect(rows).toHaveCount(2)
})
