import type { Page } from '@playwright/test'
import { join } from 'node:path'
import { expect } from './fixtures.ts'
import { sample } from '../../../scripts/headless-host.ts'

/** Imports the sample where the library, which the page is at, has it not yet: others may be there of a spec that failed. */
export async function importSample(page: Page): Promise<void> {
  const empty = page.getByText('No checkpoints yet')
  await expect(empty.or(page.getByRole('article').first())).toBeVisible()
  const own = page.getByRole('article').filter({ has: page.getByRole('heading', { name: 'model', exact: true }) })
  if (await own.first().isVisible()) return
  await page.getByRole('button', { name: 'Import checkpoint' }).first().click()
  const dialog = page.getByRole('dialog', { name: 'Import a checkpoint' })
  await dialog.getByLabel('Folder').fill(join(sample, 'model'))
  await dialog.getByRole('button', { name: 'Import', exact: true }).click()
  await expect(own.first()).toBeVisible()
}

/** Imports the sample of images in one click, wherever the page is, with something in the library or nothing. */
export async function importSampleOfImages(page: Page): Promise<void> {
  await page.goto(new URL('#/library?import=1', page.url()).href)
  const dialog = page.getByRole('dialog', { name: 'Import a checkpoint' })
  await dialog.getByRole('button', { name: 'Import the sample of images' }).click()
  await expect(dialog).toBeHidden()
  await expect(page.getByRole('article').filter({ hasText: 'Sample of images' })).toBeVisible()
}
