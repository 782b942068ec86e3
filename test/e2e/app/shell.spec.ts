import type { Page } from '@playwright/test'
import { mkdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname } from 'node:path'
import { z } from 'zod'
import { expect, test } from './fixtures.ts'
import { scratchFolder } from './scratch.ts'

// Of its own: the library is empty.
test.use({ appOf: 'empty' })
const scratch = scratchFolder('shell')

test('the app opens without an error and says that it is connected', async ({ app }) => {
  const errors: string[] = []
  app.page.on('pageerror', (error) => errors.push(error.message))
  app.page.on('console', (line) => {
    if (line.type() === 'error') errors.push(line.text())
  })
  const connected = app.page.getByRole('navigation').getByText('Connected')
  // A page that is read again before it kept its key has none.
  await expect(connected).toBeVisible()
  await app.page.reload()
  await expect(connected).toBeVisible()
  await expect(app.page.getByRole('heading', { level: 1 })).toBeVisible()
  await app.page.keyboard.press('Tab')
  await expect(app.page.getByRole('link', { name: 'Skip to content' })).toBeFocused()
  await app.page.goto(new URL('#/new', app.page.url()).href)
  await app.page.getByRole('radio', { name: /^Sweep/ }).check()
  const pageHeight = () => app.page.evaluate('document.documentElement.scrollHeight - innerHeight')
  await expect.poll(pageHeight, 'content scrolls, and not the page beside it').toBe(0)
  expect(errors).toEqual([])
})

test('after the main side was killed and started again, the page is back on the same data', async ({ app }) => {
  await app.page.goto(new URL('#/history?search=lost', app.page.url()).href)
  await expect(app.page.getByRole('searchbox')).toHaveValue('lost')
  await app.restart()
  await expect(app.page.getByRole('navigation').getByText('Connected')).toBeVisible()
  // A window has one place to begin; a page goes back to where it was.
  if (app.shell === 'browser') await expect(app.page.getByRole('searchbox')).toHaveValue('lost')
})

test('what the page may not ask is counted, and diagnostics are saved', async ({ app: { page } }) => {
  await page.goto(new URL('#/settings', page.url()).href)
  const privacy = page.getByRole('region', { name: 'Privacy' })
  await expect(privacy.getByRole('status')).toContainText('nothing asked for another computer')
  await page.evaluate(() => fetch('https://example.org/').catch(() => {}))
  await expect(privacy.getByRole('status')).toContainText(
    '1 request to other computers was refused, the last one to https://example.org',
  )
  const saved = page.waitForEvent('download')
  await privacy.getByRole('button', { name: 'Save diagnostics' }).click()
  expect((await saved).suggestedFilename()).toMatch(/^secateur-diagnostics-.*\.json$/)
})

test('a copied address opens in another tab, and an address with a wrong key is told what to do', async ({ app }) => {
  test.skip(app.shell === 'electron', 'Electron: its window has no address')
  await app.page.goto(`${new URL(app.page.url()).origin}/#/settings`)
  const second = await app.page.context().newPage()
  await second.goto(app.page.url())
  await expect(second.getByRole('heading', { name: 'Settings', level: 1 })).toBeVisible()
  await expect(second.getByRole('navigation').getByText('Connected')).toBeVisible()
  await second.goto(`${new URL(app.page.url()).origin}/#token=wrong`)
  await expect(second.getByRole('heading', { name: 'Open the address that Secateur printed' })).toBeVisible()
  await second.close()
})

test('fields with nothing to choose from say so', async ({ app: { page } }) => {
  await page.goto(new URL('#/new', page.url()).href)
  await page.getByRole('radio', { name: /^Evaluate/ }).check()
  for (const [name, text] of [
    ['Checkpoint', 'The library has no checkpoint yet.'],
    ['Adapter (optional)', 'The library has no adapter yet.'],
  ] as const) {
    await page.getByRole('combobox', { name, exact: true }).click()
    await expect(page.getByText(text)).toBeVisible()
    await page.keyboard.press('Escape')
  }
  await expect(page.getByText('None is chosen. Perplexity is measured on any text')).toBeVisible()
})

test('a folder is chosen once it was read, and never the one that was left for it', async ({ app }) => {
  test.skip(app.shell === 'electron', 'Electron: the dialogs are of the system')
  const inner = scratch('inner')
  mkdirSync(inner)
  const page = await app.page.context().newPage()
  const lists = await slowAnswers(page, 'folders.list')
  await page.goto(new URL('#/library', app.page.url()).href)
  await page.getByRole('button', { name: 'Folders' }).click()
  await page.getByRole('button', { name: 'Watch a folder…' }).click()
  const dialog = page.getByRole('dialog', { name: 'Watch a folder' })
  const choose = dialog.getByRole('button', { name: 'Choose folder' })
  const up = dialog.getByRole('button', { name: 'Up one folder' })
  const entry = (name: string) => dialog.getByRole('button', { name, exact: true })
  await entry(tmpdir()).click()
  await dialog.getByLabel('Filter by name').fill(basename(dirname(inner)))
  await entry(basename(dirname(inner))).click()
  await expect(dialog).toContainText(dirname(inner))
  await expect(choose).toBeEnabled()

  lists.hold()
  await entry('inner').click()
  await expect(dialog).toContainText(inner)
  await expect(choose).toBeDisabled()
  await expect(up).toBeDisabled()
  lists.release()
  await expect(choose).toBeEnabled()
  await up.click()
  await entry('inner').click()
  await choose.click()
  await expect(dialog).toBeHidden()

  // It opens where the last path was chosen, or from the start where that is gone.
  await page.getByRole('button', { name: 'Watch a folder…' }).click()
  await expect(dialog).toContainText(inner)
  await page.keyboard.press('Escape')
  rmSync(inner, { recursive: true })
  await page.getByRole('button', { name: 'Watch a folder…' }).click()
  await expect(entry(tmpdir())).toBeVisible()
  await page.close()
})

/** Between a page that is opened after it and the host: answers to one method wait from `hold` to `release`. */
async function slowAnswers(page: Page, method: string) {
  let held: (() => void)[] | null = null
  const asked = new Set<unknown>()
  const envelope = z.object({ i: z.string().optional(), a: z.array(z.unknown()).optional() })
  await page.routeWebSocket(/./, (socket) => {
    const host = socket.connectToServer()
    socket.onMessage((text) => {
      const { i, a } = envelope.parse(JSON.parse(String(text)))
      if (a?.[0] === method) asked.add(i)
      host.send(text)
    })
    host.onMessage((text) => {
      const { i } = envelope.parse(JSON.parse(String(text)))
      if (held && asked.has(i)) held.push(() => socket.send(text))
      else socket.send(text)
    })
  })
  return {
    hold: () => {
      held = []
    },
    release: () => {
      const answers = held ?? []
      held = null
      for (const answer of answers) answer()
    },
  }
}
