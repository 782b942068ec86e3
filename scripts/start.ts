// npm start: builds what changed and starts the app, in Electron where there is its binary and a display, else for a browser.
import { join } from 'node:path'
import { main } from '../electron/host/headless.ts'
import { ProblemError } from '../electron/services/problems.ts'
import { buildChanged } from './build.ts'

const root = join(import.meta.dirname, '..')
const args = process.argv.slice(2)

await buildChanged(['renderer'])
try {
  await main(root, args)
} catch (error) {
  if (!(error instanceof ProblemError)) throw error
  console.error(`secateur: ${error.message}`)
  process.exit(1)
}
