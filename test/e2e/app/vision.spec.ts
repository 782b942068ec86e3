import type { Page } from '@playwright/test'
import { cpSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { faultsInBothThemes } from './accessibility.ts'
import { expect, test } from './fixtures.ts'
import { sample } from '../../../scripts/headless-host.ts'
import { importSampleOfImages } from './import-sample.ts'
import { pressOn } from './keyboard.ts'
import { scratchFolder } from './scratch.ts'

// The sample of images from its import to the curve of a run, each test from where the last one ended.
test.describe.configure({ mode: 'serial' })

const scratch = scratchFolder('vision')
const go = (page: Page, hash: string) => page.goto(new URL(hash, page.url()).href)
const openImages = async (page: Page) => {
  await go(page, '#/datasets')
  await page.getByRole('link', { name: 'Sample images' }).click()
}

test('the sample of images is imported in one click, and its page says what it looks at', async ({ app: { page } }) => {
  await importSampleOfImages(page)
  const card = page.getByRole('article').filter({ hasText: 'Sample of images' })
  await expect(card).toContainText('Images of 32 × 32 px in 20 classes')
  await card.getByRole('link', { name: 'Sample of images' }).click()
  await expect(page.getByRole('region', { name: 'Facts' })).toContainText('To 32 × 32 px, bilinear')
  await page.getByRole('searchbox', { name: 'Find a class' }).fill('star')
  await expect(page.getByText('2 of 20 classes')).toBeVisible()
  await page.getByRole('searchbox', { name: 'Find a class' }).fill('dodecahedron')
  await expect(page.getByText('No class is called that.')).toBeVisible()
})

test('its images are shown by class and split, and as the model sees them', async ({ app: { page, shell } }) => {
  await openImages(page)
  await expect(page.getByText('1,000 images for training, 500 images for scores')).toBeVisible()
  await expect(page.getByText('All 1,500 images can be read')).toBeVisible({ timeout: 30_000 })
  await pressOn(page, page.getByRole('button', { name: 'Show disc alone' }))
  const images = page.getByRole('region', { name: 'Images: disc' })
  await expect(images.getByRole('img', { name: 'disc: train/disc/000.png' })).toBeVisible()
  await expect(images).toContainText('1 to 24 of 75')
  await images.getByLabel(/^Split/).click()
  await page.getByRole('option', { name: 'for scores' }).click()
  await expect(images).toContainText('1 to 24 of 25')
  await pressOn(page, images.getByRole('button', { name: 'Next images' }))
  await expect(images.getByRole('img')).toHaveCount(1)
  const seen = page.getByRole('region', { name: 'As the model sees it' })
  await expect(seen.getByRole('img', { name: 'disc, as the model sees it: test/disc/000.png' })).toBeVisible()
  expect(await faultsInBothThemes(page, shell)).toEqual([])
})

test('what is no data set of images is refused in one message, and a broken image is named', async ({ app }) => {
  const { page } = app
  const disc = join(dirname(sample), 'sample-vit/train/disc/000.png')
  cpSync(disc, scratch('images/disc/1.png'))
  mkdirSync(scratch('images/ring'))
  await go(page, '#/datasets?register=1')
  const dialog = page.getByRole('dialog', { name: 'Register a data set' })
  await dialog.getByLabel('File or folder').fill(scratch('images'))
  await dialog.getByRole('button', { name: 'Register', exact: true }).click()
  await expect(dialog.getByRole('alert')).toContainText('ring: is a class folder without an image')
  cpSync(join(import.meta.dirname, 'vision.spec.ts'), scratch('images/ring/broken.png'))
  await dialog.getByRole('button', { name: 'Register', exact: true }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'images' })).toBeVisible()
  const check = page.getByRole('region', { name: 'Broken images and duplicates' })
  await expect(check).toContainText('broken.png: cannot be read as an image')
})

test('a run on the sample of images draws the curve of its top-1', async ({ app: { page } }) => {
  test.setTimeout(120_000)
  await openImages(page)
  await page.getByRole('link', { name: 'Prune with it' }).click()
  await page.getByRole('combobox', { name: 'Checkpoint' }).click()
  await page.getByRole('option', { name: /Sample of images/ }).click()
  await expect(page.getByRole('radio', { name: /Sample images/ })).toBeChecked()
  await page.getByRole('button', { name: /^Quick look/ }).click()
  const find = page.getByLabel('Find a setting')
  await find.fill('sequence length')
  await expect(page.getByText('No setting matches')).toBeVisible()
  for (const [name, label, value] of [
    ['steps', 'Steps', '6'],
    ['validation', 'Validate every', '2'],
  ] as const) {
    await find.fill(name)
    await page.getByRole('main').getByLabel(label, { exact: true }).fill(value)
  }
  await page.getByLabel('Name').fill('Fewer heads for figures')
  await page.getByRole('button', { name: 'Start', exact: true }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'Fewer heads for figures' })).toBeVisible()
  await expect(page.getByRole('main').getByText('Done', { exact: true }).first()).toBeVisible({ timeout: 60_000 })
  await page.getByRole('button', { name: 'Table of Validation top-1' }).click()
  const curve = page.getByRole('table').filter({ hasText: 'Validation top-1' })
  await expect(curve.getByRole('row')).toContainText(['Step', '2', '4', '6'])
  await expect(page.getByText('images/s')).toBeVisible()
  await expect(page.getByRole('region', { name: 'Result' })).toContainText('100 images held out')
})
