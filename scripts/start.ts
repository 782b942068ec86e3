// npm start: builds what changed and starts the app, in Electron where there is its binary and a display, else for a browser.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { hasDisplay } from '../electron/host/desktop.ts'
import { main } from '../electron/host/headless.ts'
import { ProblemError } from '../electron/problems.ts'
import { buildChanged } from './build.ts'
import { electronBinary } from './electron-binary.ts'

const root = join(import.meta.dirname, '..')
const args = process.argv.slice(2)
const electron = hasDisplay() && !args.includes('--headless') && !args.includes('--help') ? electronBinary(root) : null

if (electron) {
  await buildChanged(['renderer', 'main', 'preload'])
  const child = spawn(electron, [root, ...args], { stdio: 'inherit' })
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  child.on('exit', (code) => (process.exitCode = code ?? 1))
} else {
  await buildChanged(['renderer'])
  try {
    await main(root, args)
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error
    console.error(`secateur: ${error.message}`)
    process.exit(1)
  }
}
