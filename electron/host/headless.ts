import { Command, InvalidArgumentError } from 'commander'
import { mkdirSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { allowOnly } from '../../engine/shared/allowed-folders.ts'
import { cacheFolder } from '../../engine/shared/cache-folder.ts'
import packageJson from '../../package.json' with { type: 'json' }
import { ProblemError } from '../problems.ts'
import { defaultDataFolder, prepareDataFolder } from './data-folder.ts'
import { hasDisplay, openWithSystem } from './desktop.ts'
import { engineOfRepository } from './engine.ts'
import { writeAddress, openUnlessRunning, removeAddress } from './headless-address.ts'
import { foldersToAllow, headlessPlatform } from './headless-platform.ts'
import { openLog } from './log.ts'
import { samplesIn } from './samples.ts'
import { type Server, startServer } from './server.ts'

/** `npm start -- --headless`: the app for a browser on the same machine, or at the other end of a tunnel. */

export interface HeadlessOptions {
  data: string
  port: number
  allow: string[]
  /** Whether a browser is opened where there is a display. */
  open: boolean
}

export interface Headless {
  server: Server
  close(): Promise<void>
}

/**
 * Opens the services on a data folder and serves them.
 *
 * @param root folder of package.json, with the renderer built in out/renderer
 * @throws ProblemError of kind `in-use` where the folder has another Secateur, with its address where it is known
 */
export async function startHeadless(root: string, options: HeadlessOptions): Promise<Headless> {
  const data = prepareDataFolder(options.data)
  const log = openLog(join(data, 'headless.log'))
  const samples = samplesIn(join(root, 'resources'), false)
  const allowed = await foldersToAllow(data, samples, options.allow)
  const platform = headlessPlatform(allowed, log)
  // Of its own files the engine reads others too, and it keeps what it measured.
  mkdirSync(cacheFolder(), { recursive: true })
  const { found, awaited } = allowed
  allowOnly([...found, ...awaited, ...[root, cacheFolder()].map((folder) => realpathSync(folder))])
  const services = await openUnlessRunning({ dataFolder: data, platform, engine: engineOfRepository(root), samples })
  let server: Server
  try {
    server = await startServer({ services, renderer: join(root, 'out/renderer'), port: options.port, log })
  } catch (error) {
    await services.close()
    const taken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'
    if (!taken) throw error
    throw new ProblemError('in-use', `Port ${options.port} is taken: give another one with --port.`, { cause: error })
  }
  writeAddress(data, server.address)
  for (const folder of awaited)
    log(`${folder} is not here now: connect its drive, or make it, and it can be read without a new start`)
  log(`started ${packageJson.version} on port ${server.port} with ${data}`)
  return {
    server,
    async close() {
      removeAddress(data)
      await Promise.all([server.close(), services.close()])
      log('closed')
    },
  }
}

const port = (text: string): number => {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value > 65_535) throw new InvalidArgumentError('It is a whole number from 0 to 65535.')
  return value
}

/** Reads the flags of the headless host. Wrong ones end the process with a message, as `--help` does. */
export function parseFlags(args: readonly string[]): HeadlessOptions {
  const command = new Command('npm start --')
    .description('Secateur for a browser on this machine; nobody else can reach it.')
    .option('--headless', 'serve a browser even where Electron could start')
    .option('--data <folder>', 'folder of the database, runs and copied checkpoints', defaultDataFolder())
    .option('--port <number>', 'port to listen on; 0 for any free one', port, 0)
    .option(
      '--allow <folder>',
      'folder that may be browsed beside home and data (repeat)',
      (value, previous: string[]) => [...previous, value],
      [],
    )
    .option('--no-open', 'print the address alone, and open no browser')
    .allowExcessArguments(false)
  return command.parse(args, { from: 'user' }).opts<HeadlessOptions>()
}

/** Runs until a signal says stop; then runs that are active are stopped with their state saved. */
export async function main(root: string, args: readonly string[]): Promise<void> {
  const options = parseFlags(args)
  const app = await startHeadless(root, options)
  console.log(`Secateur listens on ${app.server.address}`)
  console.log('Open that address in a browser on this machine. Ctrl-C stops Secateur and saves what runs.')
  if (options.open && hasDisplay()) await openWithSystem(app.server.address).catch(() => {})
  let stopping = false
  const stop = () => {
    if (stopping) return
    stopping = true
    console.log('Stopping; runs save their state.')
    app.close().then(
      () => process.exit(0),
      (error: unknown) => {
        console.error(error)
        process.exit(1)
      },
    )
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
}
