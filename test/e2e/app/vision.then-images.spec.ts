import type { Page } from '@playwright/test'
import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../../../scripts/headless-host.ts'
import { secateur } from '../secateur.ts'
import { faultsInBothThemes } from './accessibility.ts'
import { expect, test } from './fixtures.ts'
import { importedRun } from './import-run.ts'
import { pressOn } from './keyboard.ts'
import { scratchFolder } from './scratch.ts'

// A run on images from its classes to the images that changed, each test from where the last one ended. After
// vision.spec.ts, to whose library it would add cards.
test.describe.configure({ mode: 'serial' })

const scratch = scratchFolder('images')
const sample = join(root, 'resources/sample-vit')
const go = (page: Page, hash: string) => page.goto(new URL(hash, page.url()).href)
const cards = (page: Page) => page.getByRole('list', { name: 'Images' }).getByRole('listitem')
const ids: number[] = []

interface Said {
  classes: string[]
  labels: number[]
  predicted: number[]
  ranks: number[]
}
const read = (which: string) =>
  JSON.parse(readFileSync(scratch('half', 'predictions', `${which}.images.json`), 'utf8')) as Said

/** What the run kept, counted here in the plainest way. */
function counted() {
  const [dense, result] = [read('dense'), read('result')]
  const at = [...result.labels.keys()]
  const confused = at.filter((i) => result.ranks[i] !== 0)
  const first = confused[0]!
  return {
    rightToWrong: at.filter((i) => dense.ranks[i] === 0 && result.ranks[i] !== 0).length,
    wrongToRight: at.filter((i) => dense.ranks[i] !== 0 && result.ranks[i] === 0).length,
    label: result.classes[result.labels[first]!]!,
    predicted: result.classes[result.predicted[first]!]!,
    pair: confused.filter(
      (i) => result.labels[i] === result.labels[first] && result.predicted[i] === result.predicted[first],
    ).length,
  }
}

test.beforeAll(async () => {
  test.setTimeout(120_000)
  for (const name of readdirSync(join(sample, 'test'))) {
    mkdirSync(scratch('images', name), { recursive: true })
    for (const file of readdirSync(join(sample, 'test', name)).slice(0, 8))
      cpSync(join(sample, 'test', name, file), scratch('images', name, file))
  }
  const images = scratch('images')
  const flags = ['--ratio', '0.5', '--prune', 'channels', '--criterion', 'magnitude', '--steps', '1']
  const data = ['--data', images, '--images', images, '--evaluate-dense']
  const ran = await secateur(['prune', join(sample, 'model'), ...data, ...flags, '--out', scratch('half')])
  expect(ran.code, ran.stderr).toBe(0)
  cpSync(scratch('half'), scratch('again'), { recursive: true })
  // As runs of earlier versions left their folders.
  renameSync(scratch('again', 'predictions'), scratch('kept'))
})

test('the page of a run shows what was confused and the images that changed', async ({ app }) => {
  const { page, shell } = app
  ids.push(await importedRun(app, scratch('half')))
  const { rightToWrong, wrongToRight } = counted()
  const scores = page.getByRole('table', { name: 'Scores' })
  await expect(scores.getByRole('columnheader')).toHaveText([
    'Metric',
    'Dense checkpoint',
    'Result',
    'Change',
    'Of dense',
  ])
  await expect(scores.getByRole('row', { name: /^Top-5 accuracy/ })).toContainText(/points.*%$/)
  const changed = page.getByRole('region', { name: 'Images that changed' })
  await expect(changed.getByRole('status').first()).toContainText(
    `Of 160 images, ${rightToWrong} went from right to wrong and ${wrongToRight} from wrong to right`,
  )
  await expect(cards(page)).toHaveCount(Math.min(24, rightToWrong + wrongToRight))
  await expect(cards(page).first().getByRole('img').first()).toHaveAttribute('src', /^data:image\/webp/)
  expect(await faultsInBothThemes(page, shell)).toEqual([])
})

test('images are narrowed down by direction, by class and by a pair that was confused', async ({ app: { page } }) => {
  const { rightToWrong, label, predicted, pair } = counted()
  const changed = page.getByRole('region', { name: 'Images that changed' })
  await changed.getByRole('radio', { name: /^Right to wrong/ }).check()
  await expect(cards(page)).toHaveCount(rightToWrong)
  await changed.getByRole('radio', { name: 'All images' }).check()
  await expect(changed.getByRole('group', { name: 'Page of images' })).toContainText('1 to 24 of 160')
  await changed.getByRole('button', { name: 'Next images' }).click()
  await expect(changed.getByRole('group', { name: 'Page of images' })).toContainText('25 to 48 of 160')
  await changed.getByRole('combobox', { name: 'Class' }).fill(label)
  await page
    .getByRole('option', { name: new RegExp(`^${label}`) })
    .first()
    .click()
  await expect(cards(page)).toHaveCount(8)
  const classes = page.getByRole('region', { name: 'Classes', exact: true })
  const more = classes.getByRole('button', { name: /^Show all \d+ pairs/ })
  if (await more.isVisible()) await more.click()
  await classes.getByRole('button', { name: `Show ${label} taken for ${predicted}`, exact: true }).click()
  await expect(cards(page)).toHaveCount(pair)
  await changed.getByRole('button', { name: `Taken for ${predicted}: show all` }).click()
  await expect(changed.getByRole('group', { name: 'Page of images' })).toContainText('of 160')
})

test('the matrix is walked through and the classes are sorted with the keyboard alone', async ({ app: { page } }) => {
  const { label, predicted, pair } = counted()
  const classes = page.getByRole('region', { name: 'Classes', exact: true })
  const matrix = classes.getByRole('application', { name: /^Confusion/ })
  await pressOn(page, matrix, 'ArrowDown')
  await expect(classes.getByText(/^disc: right|^arrow-down: right/).first()).toBeVisible()
  const names = await classes
    .getByRole('table', { name: 'Accuracy of each class' })
    .getByRole('rowheader')
    .allTextContents()
  expect(names.length).toBe(20)
  // Down to the row and along to the column of a pair that was confused.
  const said = read('result')
  for (let row = 0; row < said.classes.indexOf(label); row++) await page.keyboard.press('ArrowDown')
  for (let column = 0; column < said.classes.indexOf(predicted); column++) await page.keyboard.press('ArrowRight')
  await expect(classes.getByText(`${label} taken for ${predicted}: ${pair} of 8`)).toBeVisible()
  await page.keyboard.press('Enter')
  await expect(cards(page)).toHaveCount(pair)
  await pressOn(page, classes.getByRole('button', { name: 'Class', exact: true }))
  await expect(classes.getByRole('columnheader', { name: 'Class', exact: true }).last()).toHaveAttribute(
    'aria-sort',
    'ascending',
  )
  await pressOn(page, classes.getByRole('button', { name: /^Table of/ }))
  await expect(
    classes.getByRole('table', { name: /^Values of Confusion/ }).getByRole('row', { name: new RegExp(`^${label} `) }),
  ).toContainText(`${predicted} ${pair}`)
})

test('runs are compared image by image, and one that kept no predictions says so', async ({ app }) => {
  const { page, shell } = app
  const { rightToWrong } = counted()
  ids.push(await importedRun(app, scratch('again')))
  await expect(page.getByText(/^No predictions of single images were kept/)).toBeVisible()
  await expect(page.getByRole('link', { name: 'Evaluate again' })).toBeVisible()
  rmSync(scratch('again', 'predictions'), { recursive: true, force: true })
  cpSync(scratch('kept'), scratch('again', 'predictions'), { recursive: true })
  await go(page, `#/compare?runs=${ids.join(',')},99999`)
  await expect(page.getByText('Run 99999 is no longer in the history: the others are compared.')).toBeVisible()
  const metrics = page.getByRole('table', { name: 'Metrics and scores' })
  await expect(metrics.getByRole('columnheader')).toHaveText([/Metric/, /Dense$/, /half/, /again/])
  await expect(
    metrics
      .getByRole('row', { name: /^Top-1 accuracy/ })
      .getByRole('cell')
      .last(),
  ).toContainText(/points \(\d+\.\d%\)/)
  await page.getByRole('button', { name: 'Leave it out' }).click()
  await expect(page.getByText(/is no longer in the history/)).toHaveCount(0)
  const differ = page.getByRole('region', { name: 'Images that differ' })
  await expect(differ).toContainText('0 went from right to wrong')
  await differ
    .getByRole('button', { name: /^From/ })
    .or(differ.getByRole('combobox', { name: /^From/ }))
    .first()
    .click()
  await page.getByRole('option', { name: /^dense of half/ }).click()
  await expect(differ).toContainText(`${rightToWrong} went from right to wrong`)
  expect(await faultsInBothThemes(page, shell)).toEqual([])
})
