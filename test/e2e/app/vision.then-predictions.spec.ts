import { cpSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { sample } from '../../../scripts/headless-host.ts'
import { secateur } from '../secateur.ts'
import { faultsInBothThemes } from './accessibility.ts'
import { expect, test } from './fixtures.ts'
import { importedRun } from './import-run.ts'
import { pressOn } from './keyboard.ts'
import { scratchFolder } from './scratch.ts'

// What a run said of each row of its tasks, each test from where the last one ended.
test.describe.configure({ mode: 'serial' })

const scratch = scratchFolder('predictions')
const ids: number[] = []
const region = (name: string) => ({ name, exact: true })

interface Said {
  gold: number[]
  predicted: number[]
  predictedNorm?: number[]
}
/** What the run kept of a task, counted here in the plainest way. */
function counted(task: string) {
  const [dense, result] = ['dense', 'result'].map(
    (which) => JSON.parse(readFileSync(scratch('texts', 'predictions', `${which}.${task}.json`), 'utf8')) as Said,
  )
  const of = (was: boolean, is: boolean) =>
    result!.gold.filter(
      (gold, at) => (dense!.predicted[at] === gold) === was && (result!.predicted[at] === gold) === is,
    ).length
  return { rightToWrong: of(true, false), wrongToRight: of(false, true), bothWrong: of(false, false) }
}

test.beforeAll(async () => {
  test.setTimeout(120_000)
  const flags = [
    '--ratio',
    '0.5',
    '--prune',
    'channels',
    '--criterion',
    'magnitude',
    '--steps',
    '1',
    '--evaluate-dense',
    '--prompts',
    'The baker',
    '--max-new-tokens',
    '6',
  ]
  const tasks = ['piqa/valid.jsonl', 'winogrande/dev.jsonl'].flatMap((file) => [
    '--task',
    `${file.split('/')[0]}=${join(sample, 'tasks', file)}`,
  ])
  const data = ['--data', join(sample, 'train.jsonl'), ...tasks, '--limit', '60']
  const ran = await secateur(['prune', join(sample, 'model'), ...data, ...flags, '--out', scratch('texts')])
  expect(ran.code, ran.stderr).toBe(0)
  cpSync(scratch('texts'), scratch('texts-again'), { recursive: true })
})

test('the page of a run lists its rows with choices and log-likelihoods, by what became of them', async ({ app }) => {
  const { page, shell } = app
  ids.push(await importedRun(app, scratch('texts')))
  const examples = page.getByRole('region', region('Generated examples'))
  await expect(examples.getByRole('heading', { name: 'The baker' })).toBeVisible()
  await expect(examples.getByRole('term')).toHaveText(['Dense', 'Result'])
  const { rightToWrong, wrongToRight, bothWrong } = counted('piqa')
  const predictions = page.getByRole('region', region('Predictions'))
  await expect(predictions.getByRole('status').first()).toContainText(
    `Of 60 rows, ${rightToWrong} went from right to wrong and ${wrongToRight} from wrong to right`,
  )
  const pager = predictions.getByRole('group', { name: 'Page of rows' })
  await expect(pager).toContainText(`of ${rightToWrong + wrongToRight}`)
  await predictions.getByRole('radio', { name: /^Wrong in both/ }).check()
  await expect(pager).toContainText(`of ${bothWrong}`)
  await predictions.getByRole('radio', { name: 'All rows' }).check()
  await expect(pager).toContainText('1 to 25 of 60')
  await predictions.getByRole('button', { name: 'Next rows' }).click()
  await expect(pager).toContainText('26 to 50 of 60')
  const table = predictions.getByRole('table', { name: /^Predictions/ })
  await expect(table.getByRole('rowheader', { name: /^Row 25/ })).toBeVisible()
  await expect(table.getByText('gold', { exact: true })).toHaveCount(25)
  await predictions.getByRole('searchbox').fill('#7')
  await expect(pager).toContainText('1 to 1 of 1')
  expect(await faultsInBothThemes(page, shell)).toEqual([])
  const [file] = await Promise.all([
    page.waitForEvent('download'),
    (async () => {
      await predictions.getByRole('button', { name: /^Export/ }).click()
      await page.getByRole('menuitem', { name: 'CSV' }).click()
    })(),
  ])
  const lines = readFileSync(await file.path(), 'utf8')
    .trim()
    .split('\r\n')
  expect([file.suggestedFilename(), lines.length]).toEqual(['predictions-piqa.csv', 3])
  expect(lines[1]).toMatch(/^7,/)
})

test('another task, another order and a page are chosen with the keyboard alone', async ({ app: { page } }) => {
  const predictions = page.getByRole('region', region('Predictions'))
  await pressOn(page, predictions.getByRole('searchbox'), 'Escape')
  const task = predictions
    .getByRole('button', { name: /^Task/ })
    .or(predictions.getByRole('combobox', { name: /^Task/ }))
  await pressOn(page, task.first())
  await expect(page.getByRole('option', { name: 'WinoGrande' })).toBeVisible()
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('Enter')
  const { rightToWrong } = counted('winogrande')
  await expect(predictions.getByRole('status').first()).toContainText(`${rightToWrong} went from right to wrong`)
  await pressOn(page, predictions.getByRole('button', { name: 'Next rows' }))
  await expect(predictions.getByRole('group', { name: 'Page of rows' })).toContainText('26 to 50 of 60')
})

test('any two runs are laid beside each other row by row', async ({ app }) => {
  const { page, shell } = app
  ids.push(await importedRun(app, scratch('texts-again')))
  const { rightToWrong } = counted('piqa')
  await page.goto(new URL(`#/compare?runs=${ids.join(',')}`, page.url()).href)
  const differ = page.getByRole('region', { name: 'Predictions that differ' })
  await expect(differ).toContainText('Of 60 rows, 0 went from right to wrong')
  await differ.getByLabel('From').first().click()
  await page.getByRole('option', { name: /^dense of texts$/ }).click()
  await expect(differ).toContainText(`${rightToWrong} went from right to wrong`)
  expect(await faultsInBothThemes(page, shell)).toEqual([])
})
