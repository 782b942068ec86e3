import type { Page } from '@playwright/test'
import { join } from 'node:path'
import { expect } from './fixtures.ts'
import { sample } from '../../../scripts/headless-host.ts'

/** Imports the sample where the library, which the page is at, has nothing yet. */
export async function importSample(page: Page): Promise<void> {
  const empty = page.getByText('No checkpoints yet')
  await expect(empty.or(page.getByRole('article').first())).toBeVisible()
  if (!(await empty.isVisible())) return
  await page.getByRole('button', { name: 'Import checkpoint' }).first().click()
  const dialog = page.getByRole('dialog', { name: 'Import a checkpoint' })
  await dialog.getByLabel('Folder').fill(join(sample, 'model'))
  await dialog.getByRole('button', { name: 'Import', exact: true }).click()
  await expect(page.getByRole('article').first()).toBeVisible()
}
