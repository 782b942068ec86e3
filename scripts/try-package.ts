// npm run try-package -- PROGRAM: starts a packaged app as its user does, imports the sample, and ends it. What a package can lack
// and a checkout cannot is looked at: its own Node, native libraries, files beside the archive.
import { chromium, type Page } from '@playwright/test'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'

const [program, ...more] = process.argv.slice(2)
if (!program) {
  console.error('Usage: npm run try-package -- PROGRAM [FLAG...]\nThe program is what npm run package left in dist/.')
  process.exit(2)
}
const data = mkdtempSync(join(tmpdir(), 'secateur-package-'))
const port = await freePort()
// The fuses of a package refuse Node's inspector, by which Playwright drives Electron; its pages can be reached all the same.
const app = spawn(program, ['--data', data, `--remote-debugging-port=${port}`, ...more], { stdio: 'inherit' })
const ended = new Promise<never>((_, reject) => {
  app.once('error', reject)
  app.once('exit', (code, signal) => reject(new Error(`the app ended by itself (${signal ?? `code ${code}`})`)))
})
ended.catch(() => {})
try {
  await Promise.race([ended, tryIt()])
  console.log('the packaged app opens, runs its engine and reads the sample')
} catch (error) {
  console.error(`the packaged app does not work: ${(error as Error).message}`)
  process.exitCode = 1
} finally {
  app.kill('SIGKILL')
  // Windows holds files of a process that is just gone.
  rmSync(data, { recursive: true, force: true, maxRetries: 10, retryDelay: 300 })
}

async function tryIt(): Promise<void> {
  const page = await pageOfApp()
  await page.getByRole('navigation').getByText('Connected').waitFor({ timeout: 60_000 })
  await page.goto(new URL('#/library?import=1', page.url()).href)
  await page.getByRole('dialog').getByRole('button', { name: 'Import the sample of text' }).click()
  await page.getByRole('article').first().waitFor({ timeout: 60_000 })
}

/** The app's page, once it listens. */
async function pageOfApp(): Promise<Page> {
  for (let tries = 0; ; tries++) {
    try {
      const browser = await chromium.connectOverCDP(`http://127.0.0.1:${port}`)
      const page = browser.contexts().flatMap((context) => context.pages())[0]
      if (page) return page
      await browser.close()
      throw new Error('it has no page yet')
    } catch (error) {
      if (tries === 120) throw error
      await setTimeout(500)
    }
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port: free } = server.address() as { port: number }
      server.close(() => resolve(free))
    })
  })
}
