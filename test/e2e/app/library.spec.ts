import type { Page } from '@playwright/test'
import { cpSync, existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { faultsInBothThemes } from './accessibility.ts'
import { expect, test } from './fixtures.ts'
import { sample } from '../../../scripts/headless-host.ts'
import { importSample } from './import-sample.ts'
import { pressOn } from './keyboard.ts'
import { scratchFolder } from './scratch.ts'

// The life of one entry of the library and of one data set, each test from where the last one ended.
test.describe.configure({ mode: 'serial' })

const scratch = scratchFolder('library')
test.beforeAll(() => cpSync(join(sample, 'model'), scratch('movable'), { recursive: true }))

/** The link on its card: cards of checkpoints with the same content name it too. */
const card = (page: Page) => page.getByRole('heading', { level: 2 }).getByRole('link', { name: 'Garden', exact: true })

const address = (page: Page, hash: string) => new URL(hash, page.url()).href

test('a checkpoint is imported, starred and renamed, and found by its new name', async ({ app: { page } }) => {
  await page.goto(address(page, '#/library'))
  await page.getByRole('button', { name: 'Import checkpoint' }).first().click()
  const dialog = page.getByRole('dialog', { name: 'Import a checkpoint' })
  await dialog.getByLabel('Folder').fill(scratch('movable'))
  await dialog.getByRole('button', { name: 'Import', exact: true }).click()
  await page.getByRole('button', { name: 'Make movable a favourite' }).click()
  await expect(page.getByRole('button', { name: 'Remove movable from favourites' })).toBeVisible()
  await page.getByRole('button', { name: 'Actions for movable' }).click()
  await page.getByRole('menuitem', { name: 'Rename…' }).click()
  await page.getByRole('dialog', { name: 'Rename' }).getByLabel('Name').fill('Garden')
  await page.keyboard.press('Enter')
  await expect(page.getByRole('article')).toContainText(['Garden'])
  await page.keyboard.press('Escape')
  await page.keyboard.press('/')
  await page.keyboard.type('gard')
  await expect(page.getByRole('article')).toHaveCount(1)
  await expect(page).toHaveURL(/search=gard/)
  await page.getByRole('searchbox').press('Escape')
})

test('a removal can be undone', async ({ app: { page } }) => {
  const garden = card(page)
  await page.getByRole('button', { name: 'Actions for Garden' }).click()
  await page.getByRole('menuitem', { name: 'Remove…' }).click()
  await page.getByRole('alertdialog').getByRole('button', { name: 'Remove' }).click()
  await expect(garden).toBeHidden()
  // An earlier change may still offer its own.
  const removed = page.getByRole('group', { name: /^Garden was removed/ })
  // At the least height a dialog fills the window: its buttons are not under the message.
  const size = page.viewportSize()
  await page.setViewportSize({ width: 1280, height: 560 })
  await page
    .getByRole('button', { name: 'Import checkpoint' })
    .or(page.getByRole('button', { name: 'Import', exact: true }))
    .first()
    .click()
  const dialog = page.getByRole('dialog')
  await dialog.getByRole('button', { name: 'Cancel' }).click({ timeout: 3000 })
  await expect(dialog).toBeHidden()
  if (size) await page.setViewportSize(size)
  await removed.getByRole('button', { name: 'Undo' }).click()
  await expect(garden).toBeVisible()
})

test('a folder that moved is missed, and found again where the user says', async ({ app }) => {
  const { page } = app
  renameSync(scratch('movable'), scratch('moved'))
  await page.reload()
  await card(page).click()
  await expect(page.getByText('Everything known of it is kept')).toBeVisible()
  await expect(page.getByRole('link', { name: 'Prune' })).toBeHidden()
  await app.choose(scratch('moved'), () => page.getByRole('button', { name: 'Say where it is now…' }).click())
  await expect(page.getByText('Everything known of it is kept')).toBeHidden({ timeout: 20_000 })
  await expect(page.getByRole('main')).toContainText(scratch('moved'))
})

test('notes that were being typed survive leaving the page, and tags a reload', async ({ app: { page } }) => {
  const notes = page.getByRole('textbox', { name: 'Notes' })
  await page.getByLabel('Add a tag').fill('tiny, old')
  await page.keyboard.press('Enter')
  // Faster than the answers come back.
  for (const tag of ['aaa', 'bbb', 'ccc']) await page.keyboard.type(`${tag}\n`)
  for (const tag of ['tiny', 'old', 'aaa', 'bbb', 'ccc'])
    await expect(page.getByRole('button', { name: `Remove tag ${tag}` })).toBeVisible()
  await notes.fill('Prune by half first.')
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Settings' }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'Settings' })).toBeVisible()
  await page.goBack()
  await expect(notes).toHaveValue('Prune by half first.')
  await page.reload()
  await expect(notes).toHaveValue('Prune by half first.')
  for (const tag of ['tiny', 'bbb', 'ccc'])
    await expect(page.getByRole('button', { name: `Remove tag ${tag}` })).toBeVisible()
})

test('the checkpoint is taken out of the library again', async ({ app: { page } }) => {
  await page.getByRole('button', { name: 'More' }).click()
  await page.getByRole('menuitem', { name: 'Remove…' }).click()
  await page.getByRole('alertdialog').getByRole('button', { name: 'Remove' }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'Library' })).toBeVisible()
  await expect(card(page)).toBeHidden()
})

test('models in a watched folder are offered, by keyboard; one is added, misses its drive, and is moved to another', async ({
  app,
  shell,
}) => {
  const { page } = app
  cpSync(join(sample, 'model'), scratch('drive/org/Oak'), { recursive: true })
  cpSync(join(sample, 'model'), scratch('drive/Elm'), { recursive: true })
  mkdirSync(scratch('second drive'))
  await pressOn(page, page.getByRole('button', { name: 'Folders' }))
  const folders = page.getByRole('dialog', { name: 'Folders of the library' })
  await app.choose(scratch('drive'), () => pressOn(page, folders.getByRole('button', { name: 'Watch a folder…' })))
  await expect(folders).toContainText('2 models, looked through just now.')
  expect(await faultsInBothThemes(page, shell)).toEqual([])
  await page.keyboard.press('Escape')

  const found = page.getByRole('region', { name: 'Found, not in the library' })
  expect(await faultsInBothThemes(page, shell)).toEqual([])
  await pressOn(page, found.getByRole('button', { name: 'Dismiss Elm' }))
  await pressOn(page, found.getByRole('button', { name: 'Add in place Oak' }))
  await expect(found).toBeHidden()
  // Other cards name it too, where their files are the same.
  const oak = page.getByRole('article').filter({ has: page.getByRole('heading', { name: 'Oak' }) })
  await expect(oak).toContainText('left in org')
  await expect(oak.getByRole('list', { name: 'Fits this computer' })).toContainText('Train bfloat16', {
    timeout: 20_000,
  })

  renameSync(scratch('drive'), scratch('unplugged'))
  await page.reload()
  await expect(oak).toContainText('Not here now')
  renameSync(scratch('unplugged'), scratch('drive'))
  await page.reload()
  await expect(oak).not.toContainText('Not here now')
  await expect(page.getByRole('button', { name: '1 found model dismissed: show' })).toBeVisible()

  await page.getByRole('button', { name: 'Select', exact: true }).click()
  await oak.getByRole('checkbox').check()
  await page.getByRole('button', { name: 'Move to another drive…' }).click()
  const move = page.getByRole('dialog', { name: 'Move Oak to another drive' })
  await app.choose(scratch('second drive'), () => move.getByRole('button', { name: 'Another folder…' }).click())
  await expect(move.getByRole('radio', { name: scratch('second drive') })).toBeChecked()
  expect(await faultsInBothThemes(page, shell)).toEqual([])
  await move.getByRole('button', { name: 'Move', exact: true }).click()
  await expect(oak).toContainText('in second drive')
  expect(existsSync(scratch('drive/org/Oak'))).toBe(false)
  expect(existsSync(scratch('second drive/Oak/config.json'))).toBe(true)

  // What the specs after this one find is as it was.
  await page.getByRole('button', { name: 'Folders' }).click()
  for (const name of ['drive', 'second drive'])
    await folders.getByRole('button', { name: `Forget ${scratch(name)}`, exact: true }).click()
  await page.keyboard.press('Escape')
  // A dialog that goes takes focus with it, and closes what has opened meanwhile.
  await expect(folders).toBeHidden()
  await page.getByRole('button', { name: 'Actions for Oak' }).click()
  await page.getByRole('menuitem', { name: 'Remove…' }).click()
  await page.getByRole('alertdialog').getByRole('button', { name: 'Remove' }).click()
  await expect(oak).toBeHidden()
})

test('instructions are shown as the model sees them, and differently once their kind is corrected', async ({ app }) => {
  const { page } = app
  await page.goto(address(page, '#/library'))
  await importSample(page)
  await page.goto(address(page, '#/datasets?register=1'))
  const dialog = page.getByRole('dialog', { name: 'Register a data set' })
  await app.choose(join(sample, 'instructions.json'), () => dialog.getByRole('button', { name: 'File…' }).click())
  await dialog.getByRole('button', { name: 'Register', exact: true }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'instructions.json' })).toBeVisible()
  const first = page.getByRole('group', { name: 'Tokens of row 1' })
  await expect(first).toContainText('Question: Go on with this text.', { timeout: 20_000 })
  await expect(first).toContainText('Target:')
  await expect(page.getByRole('img', { name: /Histogram of lengths\. 300 examples/ })).toBeVisible({ timeout: 20_000 })
  await page.getByRole('button', { name: 'Next rows' }).click()
  await expect(page.getByRole('group', { name: 'Tokens of row 6' })).toBeVisible()
  await page.getByLabel('Kind').click()
  await page.getByRole('option', { name: 'Text' }).click()
  await expect(page.getByText('Corrected by hand; detected: instructions.')).toBeVisible()
  await page.getByRole('button', { name: 'More' }).click()
  await page.getByRole('menuitem', { name: 'Take off the list' }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'Data sets' })).toBeVisible()
  await expect(page.getByText('instructions.json was taken off the list')).toBeVisible()
})

test('counting the tokens of a long file says how far it is, and stops when it is cancelled', async ({
  app: { page },
}) => {
  const row = JSON.stringify({ text: 'the baker of the village sells bread in the morning '.repeat(12) })
  writeFileSync(scratch('long.jsonl'), `${row}\n`.repeat(20_000))
  await page.goto(address(page, '#/datasets?register=1'))
  const dialog = page.getByRole('dialog', { name: 'Register a data set' })
  await dialog.getByLabel('File or folder').fill(scratch('long.jsonl'))
  await dialog.getByRole('button', { name: 'Register', exact: true }).click()
  await expect(page.getByRole('img', { name: /Histogram of lengths\. 2,000 examples/ })).toBeVisible({
    timeout: 20_000,
  })
  await page.getByRole('button', { name: 'Count all' }).click()
  await expect(page.getByRole('progressbar', { name: /^Counting tokens of the first 20,000/ })).toHaveAttribute(
    'aria-valuenow',
    /\d/,
  )
  await page.getByRole('button', { name: 'Cancel counting tokens' }).click()
  await expect(page.getByText('Counting was cancelled.')).toBeVisible()
  await expect(page.getByRole('button', { name: 'Count again' })).toBeVisible()
})
