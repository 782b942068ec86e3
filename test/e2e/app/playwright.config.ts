import { defineConfig } from '@playwright/test'
import { join } from 'node:path'
import { tmpdir } from 'node:os'
import type { AppOptions } from './fixtures.ts'

/** The app as its users have it: real SQLite, the real engine, a real browser or Electron. */
export default defineConfig<object, AppOptions>({
  testDir: import.meta.dirname,
  outputDir: join(tmpdir(), 'secateur-app-results'),
  reporter: join(import.meta.dirname, 'reporter.ts'),
  // The engine, the host, the browser and the tests of node:test run beside each other.
  workers: 1,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  forbidOnly: true,
  use: { actionTimeout: 10_000, screenshot: 'only-on-failure' },
  projects: [
    { name: 'browser', use: { shell: 'browser' } },
    { name: 'electron', use: { shell: 'electron' } },
  ],
})
