import { basename } from 'node:path'
import { expect, type test } from './fixtures.ts'

type App = Parameters<Parameters<typeof test>[2]>[0]['app']

/** Takes a run folder into the history and opens its page. @returns its number */
export async function importedRun(app: App, folder: string): Promise<number> {
  const { page } = app
  const name = basename(folder)
  await page.goto(new URL('#/history', page.url()).href)
  const empty = page.getByRole('button', { name: 'Import a run folder' })
  const menu = page.getByRole('button', { name: 'Import', exact: true })
  await expect(empty.or(menu).first()).toBeVisible()
  await app.choose(folder, async () => {
    if (await empty.isVisible()) return await empty.click()
    await menu.click()
    await page.getByRole('menuitem', { name: /folder/ }).click()
  })
  const grid = page.getByRole('grid')
  await expect(grid.getByRole('row', { name: new RegExp(name) }).first()).toBeVisible()
  await grid.getByRole('link', { name, exact: true }).first().click()
  await expect(page.getByRole('heading', { level: 1, name })).toBeVisible()
  return Number(/#\/runs\/(\d+)/.exec(page.url())![1])
}
