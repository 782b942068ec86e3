import type { Page } from '@playwright/test'
import { seriousFaults } from './accessibility.ts'
import { expect, test } from './fixtures.ts'
import { sample } from '../../../scripts/headless-host.ts'
import { pressOn, tabTo } from './keyboard.ts'
import { join } from 'node:path'

// After flow.spec.ts, so that every screen has something to show.

const go = (page: Page, hash: string) => page.goto(new URL(hash, page.url()).href)
const screens = [
  ['Library', '#/library'],
  ['a checkpoint', '#/library/1'],
  ['an export', '#/export/1'],
  ['Data sets', '#/datasets'],
  ['New run', '#/new'],
  ['a run', '#/runs/1'],
  ['History', '#/history'],
  ['Compare', '#/compare?runs=1,2'],
  ['Settings', '#/settings'],
] as const

for (const [scheme, rules] of [
  ['light', 'all'],
  ['dark', 'colours'],
] as const) {
  test(`no screen has a serious accessibility fault, ${scheme}`, async ({ app: { page, shell } }) => {
    test.setTimeout(120_000)
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' })
    // Read in the middle of a change of theme, colours of both would be held against each other.
    await page.reload()
    const found: string[] = []
    for (const [name, hash] of screens) {
      await go(page, hash)
      await expect(page.getByRole('heading', { level: 1 })).toBeVisible()
      await expect(page.getByRole('main').locator('[aria-busy="true"]')).toHaveCount(0)
      found.push(...(await seriousFaults(page, shell, rules)).map((fault) => `${name}: ${fault}`))
    }
    expect(found).toEqual([])
  })
}

test('another budget is planned on a finished run by mouse and by keyboard, and pruned to', async ({
  app: { page },
}) => {
  await go(page, '#/runs/1')
  const planner = page.getByRole('region', { name: 'Plan another budget' })
  const slider = planner.getByRole('slider')
  const table = planner.getByRole('table', { name: 'What budgets come to' })
  await expect(table).toBeVisible({ timeout: 20_000 })
  await planner.getByLabel(/^Budget in/).click()
  await page.getByRole('option', { name: 'time of a prompt' }).click()
  await expect(planner.getByRole('progressbar', { name: 'Timing layers on this device, once' })).toBeVisible()
  await planner.getByRole('button', { name: 'Cancel timing layers' }).click()
  await expect(planner.getByRole('progressbar')).toBeHidden()
  await slider.fill('0.9')
  await expect(table.getByRole('columnheader', { name: '90.0% of the parameters', exact: true })).toBeVisible()
  await expect(table.getByRole('row', { name: /^Parameters/ })).toContainText(/\((90|89\.\d)\.?\d?%\)/)
  await planner.getByRole('button', { name: 'Keep in the table: 90.0% of the parameters' }).click()
  await tabTo(page, slider)
  await page.keyboard.press('ArrowLeft')
  await page.keyboard.press('ArrowLeft')
  await expect(planner.getByRole('status')).toHaveText('89.0% of the parameters')
  await expect(table.getByRole('columnheader')).toHaveText([
    'Dense',
    '89.0% of the parameters',
    '90.0% of the parameters',
  ])
  await page.keyboard.press('Home')
  await expect(table.getByRole('row', { name: /^Importance kept/ })).toContainText('100.0%')
  await slider.fill('0.8')
  await pressOn(page, planner.getByRole('switch', { name: 'Uniform layers' }), 'Space')
  await expect(planner.getByText(/groups kept \(\d+ of 48 query heads\)/)).toBeVisible()
  await pressOn(page, planner.getByRole('link', { name: 'Prune to this: 80.0% of the parameters' }))
  await expect(page.getByRole('heading', { level: 1, name: /^Clone of/ })).toBeVisible()
  await page.getByLabel('Find a setting').fill('budget')
  await expect(page.getByRole('main').getByRole('textbox', { name: 'Budget', exact: true })).toHaveValue(
    'parameters=0.8',
  )
  const estimate = page.getByRole('complementary', { name: 'Estimate and start' })
  await expect(estimate).toContainText('Kept of the budget', { timeout: 20_000 })
})

test('a run is started, cancelled, found again and compared with the keyboard alone', async ({ app: { page } }) => {
  test.setTimeout(120_000)
  await go(page, '#/library')
  await page.keyboard.press('Control+k')
  await page.keyboard.type('data sets')
  await page.keyboard.press('Enter')
  await expect(page.getByRole('heading', { level: 1, name: 'Data sets' })).toBeVisible()
  await pressOn(page, page.getByRole('button', { name: /^Register/ }).first())
  const dialog = page.getByRole('dialog')
  await pressOn(page, dialog.getByRole('textbox').first(), 'Control+a')
  await page.keyboard.type(join(sample, 'train.jsonl'))
  await pressOn(page, dialog.getByRole('button', { name: /^Register/ }))
  await expect(page.getByRole('main')).toContainText('train')
  await expect(dialog).toBeHidden()

  await page.keyboard.press('g')
  await page.keyboard.press('n')
  await expect(page.getByRole('heading', { level: 1, name: 'New run' })).toBeVisible()
  const main = page.getByRole('main')
  await pressOn(page, main.getByRole('radio').first(), 'ArrowDown')
  await pressOn(page, main.getByRole('radio', { checked: true }).first(), 'ArrowUp')
  while (!(await main.getByRole('radio', { name: /^Prune/ }).isChecked())) await page.keyboard.press('ArrowDown')
  await pressOn(page, main.getByRole('combobox', { name: 'Checkpoint' }), 'ArrowDown')
  await expect(page.getByRole('option').first()).toBeVisible()
  await page.keyboard.press('Enter')
  await pressOn(page, main.getByRole('checkbox', { name: /train/ }), 'Space')
  await pressOn(page, main.getByRole('button', { name: /^Quick look/ }), 'Enter')
  await pressOn(page, page.getByLabel('Name'), 'Control+a')
  await page.keyboard.type('By keyboard')
  await pressOn(page, page.getByRole('button', { name: 'Start', exact: true }))
  await expect(page.getByRole('heading', { level: 1, name: 'By keyboard' })).toBeVisible()
  await expect(main.getByText('Running', { exact: true }).first()).toBeVisible({ timeout: 30_000 })
  await pressOn(page, page.getByRole('button', { name: 'Cancel', exact: true }))
  await pressOn(page, page.getByRole('alertdialog').getByRole('button', { name: 'Cancel the run' }))
  await expect(main.getByText('Cancelled', { exact: true }).first()).toBeVisible({ timeout: 30_000 })
  // The button that was pressed is gone, and the keyboard's place is not lost with it.
  await expect(page.locator(':focus')).toHaveCount(1)

  await page.keyboard.press('g')
  await page.keyboard.press('h')
  await expect(page.getByRole('heading', { level: 1, name: 'History' })).toBeVisible()
  const grid = page.getByRole('grid')
  await expect(grid.getByRole('row', { name: /By keyboard/ })).toBeVisible()
  await pressOn(page, grid, 'Home')
  await page.keyboard.press('Space')
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('Space')
  await pressOn(
    page,
    main
      .getByRole('button', { name: /^Compare/ })
      .or(main.getByRole('link', { name: /^Compare/ }))
      .first(),
  )
  await expect(page).toHaveURL(/#\/compare\?runs=/)
  await expect(main).toContainText('By keyboard')
})

test('the order of the queue is changed by mouse and by keyboard, and stays', async ({ app: { page } }) => {
  test.setTimeout(120_000)
  await go(page, '#/history')
  const main = page.getByRole('main')
  const grid = page.getByRole('grid')
  // The name of a run stays in view, however far to the right the columns are looked at.
  await grid.evaluate((element) => element.scrollTo({ left: 10_000 }))
  await expect(grid.getByRole('columnheader').last()).toBeInViewport()
  await expect(grid.getByRole('link', { name: 'By keyboard' })).toBeInViewport()
  await grid.getByRole('link', { name: 'By keyboard' }).click()
  const clone = async (name: string, change?: { steps: string }) => {
    await main.getByRole('link', { name: 'Clone', exact: true }).click()
    await expect(page.getByRole('heading', { level: 1, name: /^Clone of/ })).toBeVisible()
    if (change) {
      await page.getByLabel('Find a setting').fill('max_steps')
      await main.getByLabel('Steps', { exact: true }).fill(change.steps)
    }
    await page.getByLabel('Name').fill(name)
    await page.keyboard.press('Control+Enter')
    await expect(page.getByRole('heading', { level: 1, name })).toBeVisible()
  }
  await clone('Long', { steps: '5000' })
  await clone('Waits first')
  await clone('Waits second')
  const queue = page.getByRole('region', { name: 'Queue' })
  const order = (...names: string[]) =>
    expect(queue.getByRole('listitem')).toContainText(names.map((name) => new RegExp(name)))
  await order('Waits first', 'Waits second')
  await queue.getByRole('button', { name: 'Move Waits second to the front' }).click()
  await order('Waits second', 'Waits first')
  await pressOn(page, queue.getByRole('button', { name: 'Move Waits second down' }))
  await order('Waits first', 'Waits second')
  // The row that has moved keeps the focus, on a button that still moves it.
  await expect(queue.getByRole('button', { name: 'Move Waits second to the front' })).toBeFocused()
  await page.keyboard.press('Enter')
  await page.reload()
  await order('Waits second', 'Waits first')

  for (const name of ['Waits second', 'Waits first', 'Long']) {
    await page.getByRole('navigation').getByRole('link', { name }).click()
    await expect(page.getByRole('heading', { level: 1, name })).toBeVisible()
    await main.getByRole('button', { name: 'Cancel', exact: true }).click()
    await page.getByRole('alertdialog').getByRole('button', { name: 'Cancel the run' }).click()
    await expect(main.getByText('Cancelled', { exact: true }).first()).toBeVisible({ timeout: 30_000 })
  }
})

test('an evaluation of a pruned checkpoint is compared with the dense one that it came from, unless told otherwise', async ({
  app: { page },
}) => {
  await go(page, '#/new?kind=evaluate')
  await page.getByRole('button', { name: 'Start over' }).click()
  await page.getByRole('radio', { name: /^Evaluate/ }).check()
  const checkpoint = page.getByRole('combobox', { name: 'Checkpoint' })
  const dense = page.getByRole('combobox', { name: 'Compare with (optional)' })
  await checkpoint.click()
  await page.getByRole('option', { name: /^First run/ }).click()
  await expect(dense).toHaveValue('model')
  await expect(page.getByText(/^“model”, which it came from: it is scored too/)).toBeVisible()
  await page.getByRole('button', { name: 'None', exact: true }).click()
  await expect(dense).toHaveValue('')
  await page.reload()
  await expect(checkpoint).toHaveValue('First run')
  await expect(page.getByText(/^“model”, which it came from/)).toBeVisible()
  await expect(dense).toHaveValue('')
  await checkpoint.click()
  await page.getByRole('option', { name: /^model/ }).click()
  await expect(page.getByText(/^The dense checkpoint that it came from/)).toBeVisible()
  await expect(dense).toHaveValue('')
})
