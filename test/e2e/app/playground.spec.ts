import type { Page } from '@playwright/test'
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { faultsInBothThemes } from './accessibility.ts'
import { expect, test } from './fixtures.ts'
import { sample } from '../../../scripts/headless-host.ts'
import { importSample } from './import-sample.ts'
import { pressOn, tabTo } from './keyboard.ts'
import { scratchFolder } from './scratch.ts'

// Each test goes on from where the last one ended.
test.describe.configure({ mode: 'serial' })

const scratch = scratchFolder('playground')
test.beforeAll(() => {
  cpSync(join(sample, 'model'), scratch('second'), { recursive: true })
})
const go = (page: Page, hash: string) => page.goto(new URL(hash, page.url()).href)
const answerOf = (page: Page, name: string) => page.getByRole('article', { name: `Answer of ${name}`, exact: true })
/** The number of a checkpoint in addresses: that of its card in the library. */
async function idOf(page: Page, name: string): Promise<string> {
  await go(page, '#/library')
  const link = page.getByRole('heading', { level: 2 }).getByRole('link', { name, exact: true })
  return /\/library\/(\d+)/.exec((await link.getAttribute('href')) ?? '')![1]!
}
// A file for llama.cpp is written and compared before the first answer.
const over = { timeout: 60_000 }

test('two checkpoints answer a prompt side by side, entered from a page of one', async ({ app: { page, shell } }) => {
  await go(page, '#/library')
  await importSample(page)
  await go(page, '#/library?import=1')
  const dialog = page.getByRole('dialog', { name: 'Import a checkpoint' })
  await dialog.getByLabel('Folder').fill(scratch('second'))
  await dialog.getByRole('button', { name: 'Import', exact: true }).click()
  await expect(dialog).toBeHidden()
  await page.getByRole('heading', { level: 2 }).getByRole('link', { name: 'second', exact: true }).click()
  await page.getByRole('main').getByRole('link', { name: 'Playground' }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'Playground' })).toBeVisible()
  await expect(page.getByRole('combobox', { name: 'Checkpoint 1: second' })).toBeVisible()
  await page.getByRole('combobox', { name: /^Another checkpoint/ }).click()
  await page.getByRole('option').filter({ hasNotText: 'Adapter' }).first().click()
  await page.getByRole('combobox', { name: /^Checkpoint 1 runs on/ }).click()
  await page.getByRole('option', { name: /^Secateur/ }).click()
  await expect(page.getByRole('combobox', { name: 'Checkpoint 1 runs on: Secateur' })).toBeVisible()
  await page.getByRole('textbox', { name: 'Prompt' }).fill('The weather today')
  await page.getByLabel('Max new tokens').fill('8')
  await page.getByRole('switch', { name: 'Log-probabilities' }).click()
  await page.getByRole('button', { name: 'Generate' }).click()
  const second = answerOf(page, 'second')
  await expect(second).toContainText(/8 tokens · .*tokens\/s · first after/, over)
  await expect(page.getByRole('article').filter({ hasText: 'ended at max new tokens' })).toHaveCount(2, over)
  // The button stopped the answers meanwhile, and is the same one.
  await expect(page.getByRole('button', { name: 'Generate' })).toBeFocused()
  await expect(second).toContainText(/Secateur \(\w+\), bfloat16/)
  const other = page.getByRole('article').filter({ hasNot: page.getByRole('link', { name: 'second', exact: true }) })
  await expect(other.last()).toContainText(
    /llama\.cpp v.*, F16, 1 thread; log-probabilities within|Not on llama\.cpp: /,
  )
  await second.getByRole('option').nth(1).hover()
  await expect(second).toContainText(/log-probability −?-?\d/)
  await expect(second.getByRole('listitem')).toHaveCount(5)
  expect(await faultsInBothThemes(page, shell)).toEqual([])
  await page.getByRole('combobox', { name: /^Differences marked against/ }).click()
  await page.getByRole('option', { name: 'second', exact: true }).click()
  await expect(page.getByRole('combobox', { name: 'Differences marked against: second' })).toBeVisible()
  await expect(page.getByRole('region', { name: 'In memory' })).toContainText(/second.*Secateur \(/)
  await page.getByRole('button', { name: 'Release now' }).click()
  await expect(page.getByRole('region', { name: 'In memory' })).toBeHidden()
})

test('a question is found again after a reload and in the history, and a prompt under its name', async ({
  app: { page },
}) => {
  await page.reload()
  await expect(answerOf(page, 'second')).toContainText('8 tokens')
  await page.getByRole('button', { name: 'Saved prompts' }).click()
  await page.getByRole('dialog').getByLabel('Name').fill('Weather')
  await page.getByRole('dialog').getByRole('button', { name: 'Save the prompt' }).click()
  await expect(page.getByRole('dialog').getByRole('button', { name: /^Weather/ })).toBeVisible()
  await page.keyboard.press('Escape')
  await page.getByRole('textbox', { name: 'Prompt' }).fill('Something else')
  await page.getByRole('button', { name: 'Saved prompts' }).click()
  await page
    .getByRole('dialog')
    .getByRole('button', { name: /^Weather/ })
    .click()
  await expect(page.getByRole('textbox', { name: 'Prompt' })).toHaveValue('The weather today')
  await page.getByRole('button', { name: 'Questions asked' }).click()
  await page
    .getByRole('dialog')
    .getByRole('button', { name: /^The weather today/ })
    .first()
    .click()
  // It closes once the question is loaded, and gives the focus back: keys of the next test would go there.
  await expect(page.getByRole('dialog')).toBeHidden()
  await expect(answerOf(page, 'second')).toContainText('8 tokens')
})

test('a chat is led, stopped and left with the keyboard alone', async ({ app: { page } }) => {
  await page.keyboard.press('Control+k')
  await page.keyboard.type('playground: second')
  await page.keyboard.press('Enter')
  // The question before was answered by two.
  await expect(page.getByRole('combobox', { name: /^Checkpoint 2: / })).toHaveCount(0)
  await expect(page.getByRole('combobox', { name: 'Checkpoint 1: second' })).toBeVisible()
  await pressOn(page, page.getByRole('radio', { name: 'Prompt' }), 'ArrowRight')
  await pressOn(page, page.getByLabel('Max new tokens'), 'Control+a')
  await page.keyboard.type('6')
  await tabTo(page, page.getByLabel('Message', { exact: true }))
  await page.keyboard.type('What is the weather?')
  await page.keyboard.press('Control+Enter')
  await expect(answerOf(page, 'second')).toContainText(/ tokens · /, over)
  await expect(page.getByLabel('Message', { exact: true })).toHaveValue('')
  await tabTo(page, page.getByLabel('Message', { exact: true }))
  await page.keyboard.type('And tomorrow?')
  await page.keyboard.press('Control+Enter')
  await expect(page.getByRole('article', { name: 'Answer of second' })).toHaveCount(2)
  await expect(answerOf(page, 'second').last()).toContainText(/ tokens · /, over)
  // The next message is written at once.
  await tabTo(page, page.getByLabel('Message', { exact: true }))
  await page.keyboard.type('So?')
  await pressOn(page, page.getByRole('button', { name: 'Send' }))
  await expect(answerOf(page, 'second')).toHaveCount(3)
  await expect(answerOf(page, 'second').last()).toContainText(/ tokens · /, over)
  await expect(page.getByLabel('Message', { exact: true })).toBeFocused()
  await pressOn(page, page.getByRole('button', { name: 'New chat' }))
  await expect(answerOf(page, 'second')).toHaveCount(0)
  await page.keyboard.press('g')
  await page.keyboard.press('l')
  await expect(page.getByRole('heading', { level: 1, name: 'Library' })).toBeVisible()
  await page.keyboard.press('g')
  await page.keyboard.press('p')
  await expect(page.getByRole('heading', { level: 1, name: 'Playground' })).toBeVisible()
})

test('one checkpoint answers as F16 and as Q4_K_M beside each other, found again by their address', async ({
  app: { page, shell },
}) => {
  const id = await idOf(page, 'second')
  await go(page, `#/playground?checkpoints=${id}.f16`)
  await expect(page.getByRole('combobox', { name: 'Checkpoint 1 runs on: llama.cpp, F16' })).toBeVisible()
  await page.getByRole('combobox', { name: /^Another checkpoint/ }).click()
  await page.getByRole('option', { name: /once more, in another type/ }).click()
  await expect(page.getByRole('combobox', { name: 'Checkpoint 2 runs on: Automatic' })).toBeVisible()
  await page.getByRole('combobox', { name: /^Checkpoint 2 runs on/ }).click()
  await expect(page.getByRole('option', { name: /^llama.cpp, F16.*it answers so already/ })).toHaveAttribute(
    'data-disabled',
  )
  await page.getByRole('option', { name: /^llama.cpp, Q4_K_M/ }).click()
  await expect(page).toHaveURL(new RegExp(`checkpoints=${id}\\.f16,${id}\\.q4_k_m$`))
  await page.reload()
  await page.getByRole('radio', { name: 'Prompt' }).check()
  await page.getByRole('textbox', { name: 'Prompt' }).fill('The weather today')
  await page.getByLabel('Max new tokens').fill('8')
  await page.getByRole('button', { name: 'Generate' }).click()
  for (const type of ['F16', 'Q4_K_M']) {
    const answer = page.getByRole('article', { name: new RegExp(`^Answer of .*, ${type}$`) })
    // Where llama.cpp is missing, it is insisted on all the same.
    await expect(answer).toContainText(new RegExp(`llama\\.cpp v.*, ${type}|there is no llama`), over)
  }
  await page.getByRole('combobox', { name: /^Differences marked against/ }).click()
  await page.getByRole('option', { name: /, F16$/ }).click()
  expect(await faultsInBothThemes(page, shell)).toEqual([])
})

test('files that were written for llama.cpp are counted and removed in the settings', async ({
  app: { page, shell },
}) => {
  await go(page, '#/settings')
  const kept = page.getByRole('region', { name: 'Files for llama.cpp' })
  await expect(kept.getByRole('status').first()).toHaveText(/\d files?, .* in .*llama-cpp|None is kept/)
  const remove = kept.getByRole('button', { name: 'Remove the files' })
  if (await remove.isEnabled()) {
    expect(await faultsInBothThemes(page, shell)).toEqual([])
    await remove.click()
  }
  await expect(kept.getByRole('status').first()).toHaveText('None is kept.')
  await expect(remove).toBeDisabled()
})
