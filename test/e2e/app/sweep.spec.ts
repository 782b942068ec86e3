import { join } from 'node:path'
import type { Page } from '@playwright/test'
import { faultsInBothThemes, faultsOfParts } from './accessibility.ts'
import { expect, test } from './fixtures.ts'
import { sample } from '../../../scripts/headless-host.ts'
import { importSample } from './import-sample.ts'
import { pressOn } from './keyboard.ts'

// One sweep from the library to its report and its clone, each test from where the last one ended.
test.describe.configure({ mode: 'serial' })

const go = (page: Page, hash: string) => page.goto(new URL(hash, page.url()).href)
const main = (page: Page) => page.getByRole('main')
async function set(page: Page, name: string, value: string): Promise<void> {
  await page.getByLabel('Find a setting').fill(name)
  await main(page).getByLabel(name, { exact: true }).fill(value)
}
async function vary(page: Page, setting: string): Promise<void> {
  const box = page.getByRole('combobox', { name: 'Vary a setting' })
  await box.fill(setting)
  await page.getByRole('option', { name: new RegExp(`^${setting}`) }).click()
}

test('a figure of the paper is repeated from the menu of a checkpoint', async ({ app: { page } }) => {
  await go(page, '#/library')
  await importSample(page)
  // Other cards may have a link to this checkpoint too: those with the same content.
  const title = page.getByRole('heading', { level: 2, name: 'model', exact: true })
  const card = page.getByRole('article').filter({ has: title })
  await card.getByRole('button', { name: /^Actions/ }).click()
  await page.getByRole('menuitem', { name: 'Repeat a figure of the paper…' }).click()
  await expect(page.getByRole('radio', { name: /^Sweep/ })).toBeChecked()
  await expect(page.getByRole('radio', { name: /^Criteria compared/ })).toBeChecked()
  const differ = page.getByRole('region', { name: 'What the runs differ in' })
  await expect(differ.getByRole('status')).toHaveText('96 runs')
  await expect(differ).toContainText('0, 1, 2')
  await page.getByRole('radio', { name: /^Memory of scoring/ }).check()
  await expect(differ.getByRole('status')).toHaveText('2 runs')
  await expect(page.getByRole('checkbox', { name: /^Score every run/ })).toBeHidden()
})

test('own lists are checked as single settings are, and start as a sweep', async ({ app }) => {
  const { page, shell } = app
  await page.getByRole('radio', { name: /^Own lists/ }).check()
  const data = page.getByRole('region', { name: 'Checkpoint and data' })
  await app.choose(join(sample, 'train.jsonl'), () => data.getByRole('button', { name: 'Browse…' }).click())
  await vary(page, 'Criterion')
  const differ = page.getByRole('region', { name: 'What the runs differ in' })
  await expect(differ).toContainText('Give at least one value.')
  for (const name of ['LoRAPrune', 'Magnitude']) await differ.getByRole('checkbox', { name, exact: true }).check()
  await vary(page, 'Ratio')
  await differ.getByLabel('Ratio', { exact: true }).fill('0.2; 7')
  await expect(differ).toContainText('7: Must be 0.95 or less.')
  await differ.getByRole('button', { name: 'Do not vary Ratio' }).click()
  await expect(differ.getByRole('status')).toHaveText('2 runs')
  await page.getByRole('checkbox', { name: /^Score every run/ }).uncheck()
  for (const [name, value] of [
    ['Steps', '3'],
    ['Max documents', '60'],
    ['Micro-batch size', '2'],
    ['Sequence length', '48'],
    ['Rank', '4'],
  ] as const)
    await set(page, name, value)
  await page.getByLabel('Find a setting').fill('')
  await page.getByLabel('Name').fill('Two criteria')
  const estimate = page.getByRole('region', { name: 'Estimate' })
  await expect(estimate).toContainText('For 2 runs.', { timeout: 20_000 })
  expect(await faultsInBothThemes(page, shell)).toEqual([])
  await page.getByRole('button', { name: 'Start 2 runs' }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'Two criteria' })).toBeVisible({ timeout: 20_000 })
})

test('it ends with a table of its runs, a report to export, and runs to compare', async ({ app: { page, shell } }) => {
  const runs = page.getByRole('table', { name: 'Runs of the sweep' })
  await expect(runs.getByRole('row', { name: /LoRAPrune/ })).toContainText('Running', { timeout: 20_000 })
  await expect(page.getByText('2 of 2 runs done')).toBeVisible({ timeout: 40_000 })
  await expect(main(page).getByText('Done', { exact: true }).first()).toBeVisible({ timeout: 20_000 })
  for (const criterion of ['LoRAPrune', 'Magnitude']) {
    const row = runs.getByRole('row', { name: new RegExp(criterion) })
    await expect(row).toContainText('Done')
    await expect(row).toContainText('1,205,280')
    await row.getByRole('checkbox').check()
  }
  await expect(page.getByRole('table', { name: /^Means/ }).getByRole('row')).toHaveCount(3)
  await expect(page.getByRole('img', { name: /^Chart: seconds by criterion/ })).toBeVisible()
  await expect(page.getByRole('img', { name: /^Parallel coordinates of 2 runs: Criterion, / })).toBeVisible()
  await expect(page.getByRole('table', { name: 'What the settings explain' })).toContainText('Criterion')
  expect(await faultsInBothThemes(page, shell)).toEqual([])
  const saved = page.waitForEvent('download')
  await page.getByRole('button', { name: 'Export' }).click()
  await page.getByRole('menuitem', { name: 'Report (Markdown)' }).click()
  expect((await saved).suggestedFilename()).toBe('Two-criteria.md')
  const address = page.url()
  await page.getByRole('button', { name: 'Compare 2 runs' }).click()
  await expect(main(page).getByRole('row', { name: /^Criterion/ })).toContainText('Magnitude')
  await page.goto(address)
})

test('its runs are folded under it in the history, filtered, grouped, tagged and kept as a view', async ({ app }) => {
  const { page, shell } = app
  const address = page.url()
  await go(page, '#/history')
  const grid = page.getByRole('grid')
  const rowOf = (name: string | RegExp) => grid.getByRole('row', { name })
  await expect(rowOf(/Two criteria.*2 runs/)).toBeVisible()
  await expect(rowOf(/loraprune/)).toHaveCount(0)
  await pressOn(page, grid, 'Home')
  await page.keyboard.press('ArrowRight')
  await expect(rowOf('1-loraprune')).toBeVisible()
  expect(await faultsInBothThemes(page, shell)).toEqual([])
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('ArrowLeft')
  await expect(rowOf(/loraprune/)).toHaveCount(0)

  // What is ticked is the sweep with its runs.
  await page.keyboard.press('Space')
  await page.getByRole('toolbar').getByRole('button', { name: 'Tags', exact: true }).click()
  const dialog = page.getByRole('dialog', { name: 'Tags of 3 runs' })
  await dialog.getByLabel('Add a tag').fill('both')
  await page.keyboard.press('Enter')
  await dialog.getByRole('button', { name: 'Change tags' }).click()
  await expect(page.getByText('Tags of 3 runs changed')).toBeVisible()

  // Any runs that are ticked, not of one sweep alone, are drawn as lines through what they differ in.
  await pressOn(page, page.getByRole('toolbar').getByRole('button', { name: 'Parallel coordinates' }))
  const drawn = page.getByRole('dialog', { name: 'Parallel coordinates' })
  await expect(drawn.getByRole('img', { name: /^Parallel coordinates of 2 runs: Criterion, / })).toBeVisible()
  expect(await faultsInBothThemes(page, shell)).toEqual([])
  await page.keyboard.press('Escape')

  const search = page.getByRole('searchbox')
  await search.fill('tag:both criterion = magnitude ratoi > 0.3')
  await expect(page.getByText('No column is called “ratoi”.')).toBeVisible()
  await search.fill('tag:both steps >= 3 kind = prune')
  await expect(main(page).getByText('2 runs', { exact: true }).first()).toBeVisible()
  await page.getByRole('combobox', { name: 'Group by' }).click()
  await page.getByRole('combobox', { name: 'Group by' }).fill('criterion')
  await page.getByRole('option', { name: 'Criterion', exact: true }).click()
  await expect(rowOf(/Criterion: Magnitude.*1 run/)).toContainText(/%/)
  await page.getByRole('button', { name: 'Views' }).click()
  await page.getByRole('menuitem', { name: 'Save this view…' }).click()
  await page.getByRole('dialog').getByLabel('Name').fill('By criterion')
  await page.keyboard.press('Enter')
  await expect(page.getByRole('button', { name: 'View: By criterion' })).toBeVisible()
  await go(page, '#/history')
  await expect(search).toHaveValue('')
  await page.getByRole('button', { name: 'Views' }).click()
  await page.getByRole('menuitem', { name: 'By criterion' }).click()
  await expect(search).toHaveValue('tag:both steps >= 3 kind = prune')
  await expect(rowOf(/Criterion: LoRAPrune.*1 run/)).toBeVisible()
  await page.goto(address)
})

test('what its runs wrote is folded under it in the library, and shown by keyboard', async ({ app: { page } }) => {
  const address = page.url()
  await go(page, '#/library')
  const cards = page.getByRole('article')
  const toggle = page.getByRole('button', { name: /checkpoints of Two criteria$/ })
  await expect(cards.filter({ has: toggle })).toContainText('1.21M')
  const before = await cards.count()
  await pressOn(page, toggle)
  await expect(cards).toHaveCount(before + 2)
  await expect(toggle).toBeFocused()
  await expect(toggle).toHaveAttribute('aria-expanded', 'true')
  await page.keyboard.press('Enter')
  await expect(cards).toHaveCount(before)
  await page.goto(address)
})

test('a clone opens the form with the same lists', async ({ app: { page } }) => {
  await page.getByRole('link', { name: 'Clone' }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'Clone of Two criteria' })).toBeVisible()
  await expect(page.getByRole('radio', { name: /^Sweep/ })).toBeChecked()
  const differ = page.getByRole('region', { name: 'What the runs differ in' })
  await expect(differ.getByRole('checkbox', { name: 'Magnitude', exact: true })).toBeChecked()
  await expect(differ.getByRole('checkbox', { name: 'Random', exact: true })).not.toBeChecked()
  await page.getByLabel('Find a setting').fill('steps')
  await expect(main(page).getByLabel('Steps', { exact: true })).toHaveValue('3')
  await differ.getByRole('checkbox', { name: 'Random', exact: true }).check()
  await expect(page.getByRole('button', { name: 'Start 3 runs' })).toBeEnabled({ timeout: 20_000 })
})

test('it is sent to a cluster over SSH; where that does not answer, other settings are asked for', async ({ app }) => {
  const { page, shell } = app
  await page.getByRole('radio', { name: /^A cluster over SSH/ }).check()
  const where = page.getByRole('region', { name: 'Where' })
  const field = (name: string) => where.getByRole('textbox', { name, exact: true })
  for (const [name, value] of [
    ['Login node', 'lab'],
    ['Folder on the cluster', '/shared/sweeps'],
    ["Secateur's folder", '/shared/secateur'],
    ['Name to save these settings under', 'Lab'],
  ] as const)
    await field(name).fill(value)
  await page.getByLabel('Run name').fill('Far away')
  const start = page.getByRole('button', { name: 'Start 3 runs' })
  await start.click()
  await expect(where).toContainText('Is no address like ssh://user@login')
  await field('Login node').fill('ssh://nobody@127.0.0.1:9')
  await where.getByRole('button', { name: 'Save for the next sweep' }).click()
  await where.getByLabel('Saved cluster', { exact: true }).click()
  await expect(page.getByRole('option', { name: 'Lab' })).toBeVisible()
  expect(await faultsOfParts(page, shell)).toEqual([])
  await page.keyboard.press('Escape')
  await where.getByRole('button', { name: 'Try the connection' }).click()
  await expect(where.getByText(/127\.0\.0\.1 cannot be reached|no ssh on this computer/)).toBeVisible({
    timeout: 20_000,
  })
  expect(await faultsInBothThemes(page, shell)).toEqual([])
  await start.click()
  await expect(page.getByRole('heading', { level: 1, name: 'Far away' })).toBeVisible({ timeout: 20_000 })
  await expect(main(page).getByText('Failed', { exact: true }).first()).toBeVisible({ timeout: 20_000 })
  const dialog = page.getByRole('dialog', { name: 'Resume with other cluster settings' })
  const ask = async () => {
    await page.getByRole('button', { name: 'More actions' }).click()
    await page.getByRole('menuitem', { name: 'Resume with other cluster settings…' }).click()
  }
  await ask()
  await expect(dialog.getByRole('textbox', { name: "Secateur's folder" })).toHaveValue('/shared/secateur')
  await dialog.getByRole('textbox', { name: 'Time limit' }).fill('3')
  await expect(dialog).toContainText('Must be 5 minutes or more')
  await dialog.getByRole('textbox', { name: 'Time limit' }).fill('12:00:00')
  expect(await faultsInBothThemes(page, shell)).toEqual([])
  await dialog.getByRole('button', { name: 'Resume' }).click()
  await expect(dialog).toBeHidden()
  await expect(main(page).getByText('Failed', { exact: true }).first()).toBeVisible({ timeout: 20_000 })
  await ask()
  await expect(dialog.getByRole('textbox', { name: 'Time limit' })).toHaveValue('12:00:00')
})

test('an evaluation is asked where it is done too, and by an app without Slurm sent nowhere', async ({ app }) => {
  const { page, shell } = app
  await go(page, '#/new')
  await page.getByRole('button', { name: 'Start over' }).click()
  const where = page.getByRole('region', { name: 'Where' })
  await expect(where).toBeHidden()
  await page.getByRole('radio', { name: /^Evaluate/ }).check()
  await expect(where.getByRole('radio', { name: /^This computer One process/ })).toBeChecked()
  await where.getByRole('radio', { name: /^A cluster over SSH/ }).check()
  await expect(where).toContainText('what the evaluation reads must lie there')
  await expect(where.getByText('Fetch the weights')).toBeHidden()
  await where.getByRole('radio', { name: /^A cluster with Slurm/ }).check()
  await expect(where).toContainText('The evaluation gets a folder of its own in it')
  await expect(where.getByRole('textbox', { name: 'Parts at a time' })).toBeVisible()
  await where.getByRole('textbox', { name: 'Shared folder' }).fill('/shared/scores')
  await where.getByRole('textbox', { name: 'Time limit' }).fill('2')
  await expect(where).toContainText('Must be 5 minutes or more')
  expect(await faultsInBothThemes(page, shell)).toEqual([])
})
