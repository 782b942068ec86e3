import {
  expect,
  _electron,
  type Browser,
  chromium,
  type ElectronApplication,
  type Page,
  test as base,
} from '@playwright/test'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { electronBinary } from '../../../scripts/electron-binary.ts'
import { HeadlessHost, root } from '../../../scripts/headless-host.ts'

export interface AppOptions {
  shell: 'browser' | 'electron'
}

/** The app in either shell. A spec that uses nothing else runs in both. */
export interface App {
  readonly shell: AppOptions['shell']
  /** Folder of the database and the runs. */
  readonly data: string
  page: Page
  /** Kills the main side at once and starts it again, with the page back on the same data. */
  restart(): Promise<void>
  /** Answers the next question for a path: in the folder browser, or in place of the system's dialog. */
  choose(path: string, ask: () => Promise<void>): Promise<void>
}

/** Debian's Chromium runs as root in containers, and must reach for nothing on the network. */
const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

const browserPath = [
  process.env['SECATEUR_CHROMIUM'],
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  chromium.executablePath(),
].find((path) => path !== undefined && existsSync(path))

/** Why a shell cannot be driven here. */
function missing(shell: AppOptions['shell']): string | null {
  if (shell === 'electron')
    return electronBinary(root) ? null : 'Electron: its binary is not installed, so the specs ran in a browser alone'
  return browserPath ? null : 'browser: no Chromium found; install one or name it in SECATEUR_CHROMIUM'
}

class BrowserApp implements App {
  readonly shell = 'browser'
  readonly #host = new HeadlessHost()
  readonly #browser: Browser
  page!: Page

  constructor(browser: Browser) {
    this.#browser = browser
  }

  get host(): HeadlessHost {
    return this.#host
  }

  get data(): string {
    return this.#host.data
  }

  async start(): Promise<void> {
    await this.#host.start()
    const context = await this.#browser.newContext({ viewport: { width: 1280, height: 900 }, locale: 'en-GB' })
    this.page = await context.newPage()
    await this.page.goto(this.#host.address)
  }

  async restart(): Promise<void> {
    await this.#host.stop('SIGKILL')
    await this.#host.start()
    await this.page.goto(this.#host.address)
  }

  async choose(path: string, ask: () => Promise<void>): Promise<void> {
    await ask()
    const dialog = this.page.getByRole('dialog').last()
    const entry = (name: string) =>
      dialog.getByRole('button').filter({ has: this.page.getByText(name, { exact: true }) })
    const allowed = [root, tmpdir(), this.data].map((start) =>
      start === root ? join(root, 'resources/sample') : start,
    )
    const start = allowed
      .filter((top) => path === top || path.startsWith(`${top}/`))
      .sort((a, b) => b.length - a.length)[0]!
    // It opens where the last path was chosen.
    const up = dialog.getByRole('button', { name: 'Up one folder' })
    const content = dialog.getByRole('list', { name: 'Content of the folder' })
    for (;;) {
      // Nothing leads up from a folder that is not read yet.
      await expect(content).toHaveAttribute('aria-busy', 'false')
      if (!(await up.isEnabled())) break
      await up.click()
    }
    await entry(start).click()
    const steps = path.slice(start.length).split('/').filter(Boolean)
    let at = start
    for (const name of steps) {
      await expect(dialog.locator('[aria-live]')).toHaveText(at)
      // A temporary folder may hold more than is shown.
      await dialog.getByLabel('Filter by name').fill(name)
      // Entries move when the filter is heard, away from under the pointer.
      await expect(dialog.locator('[aria-busy="true"]')).toHaveCount(0)
      await entry(name).click()
      at = `${at}/${name}`
    }
    await dialog.getByRole('button', { name: /^Choose/ }).click()
  }

  async stop(): Promise<void> {
    await this.page?.context().close()
    await this.#host.remove()
  }
}

class ElectronApp implements App {
  readonly shell = 'electron'
  readonly data = mkdtempSync(join(tmpdir(), 'secateur-app-'))
  #app: ElectronApplication | null = null
  page!: Page

  async start(): Promise<void> {
    this.#app = await _electron.launch({
      executablePath: electronBinary(root)!,
      args: [...flags, root, '--data', this.data],
    })
    this.page = await this.#app.firstWindow()
  }

  async restart(): Promise<void> {
    const gone = new Promise((resolve) => this.#app!.process().once('exit', resolve))
    this.#app!.process().kill('SIGKILL')
    await gone
    await this.start()
  }

  async choose(path: string, ask: () => Promise<void>): Promise<void> {
    await this.#app!.evaluate(({ dialog }, chosen) => {
      dialog.showOpenDialog = () => Promise.resolve({ canceled: false, filePaths: [chosen] })
    }, path)
    await ask()
  }

  async stop(): Promise<void> {
    await this.#app?.close()
    rmSync(this.data, { recursive: true, force: true })
  }
}

interface Worker extends AppOptions {
  shell: AppOptions['shell']
  /** Another name is another app, with nothing in it yet. */
  appOf: string
  browserOfTests: Browser | null
  ownCache: void
}

/** All files of specs share `app`, one after the other, but for those that name one of their own in `appOf`. */
export const test = base.extend<{ skipWhereMissing: void }, Worker & { app: App }>({
  // Not a hook, which would belong to the first file of specs alone.
  skipWhereMissing: [
    async ({ shell }, use, { skip }) => {
      const reason = missing(shell)
      skip(reason !== null, reason ?? '')
      await use()
    },
    { auto: true },
  ],
  // What was measured on this computer before, such as how long layers take, would be shown at once where a test waits for it.
  ownCache: [
    // Playwright takes no other spelling of a fixture that needs none.
    // oxlint-disable-next-line no-empty-pattern
    async ({}, use) => {
      const folder = mkdtempSync(join(tmpdir(), 'secateur-cache-'))
      process.env['XDG_CACHE_HOME'] = folder
      await use()
      rmSync(folder, { recursive: true, force: true })
    },
    { scope: 'worker', auto: true },
  ],
  shell: ['browser', { option: true, scope: 'worker' }],
  appOf: ['all', { option: true, scope: 'worker' }],
  browserOfTests: [
    async ({ shell }, use) => {
      const launch = shell === 'browser' && browserPath
      const browser = launch ? await chromium.launch({ executablePath: browserPath, args: flags }) : null
      await use(browser)
      await browser?.close()
    },
    { scope: 'worker' },
  ],
  app: [
    async ({ shell, browserOfTests, appOf, ownCache }, use) => {
      // Taken so that another name is another app, and so that the cache is there before.
      void [appOf, ownCache]
      const reason = missing(shell)
      if (reason) {
        // The specs are skipped before they would miss it.
        await use(undefined as never)
        return
      }
      const app = shell === 'browser' ? new BrowserApp(browserOfTests!) : new ElectronApp()
      try {
        await app.start()
        await use(app)
      } finally {
        await app.stop()
      }
    },
    { scope: 'worker', timeout: 60_000 },
  ],
})
export { expect } from '@playwright/test'
