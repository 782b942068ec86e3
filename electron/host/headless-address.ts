import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { ProblemError } from '../problems.ts'
import { openServices } from '../services/index.ts'
import type { ServiceOptions, Services } from '../services/types.ts'

/** Says where the headless host of a data folder listens, while it runs. Nobody else may read it: it holds the token. */
const fileOf = (dataFolder: string) => join(dataFolder, 'headless.json')
const schema = z.object({ pid: z.int(), address: z.string() })

export function writeAddress(dataFolder: string, address: string): void {
  writeFileSync(fileOf(dataFolder), JSON.stringify({ pid: process.pid, address }), { mode: 0o600 })
}

export function removeAddress(dataFolder: string): void {
  rmSync(fileOf(dataFolder), { force: true })
}

/**
 * Opens the services. The database is held by one process at a time.
 *
 * @throws ProblemError of kind `in-use` where another Secateur has it, with its address where it has one
 */
export async function openUnlessRunning(options: ServiceOptions): Promise<Services> {
  try {
    return await openServices(options)
  } catch (error) {
    if (!(error instanceof ProblemError) || error.problem.kind !== 'in-use') throw error
    const address = addressIn(options.dataFolder)
    if (address === null) throw error
    const message = `Secateur runs already with ${options.dataFolder}: open ${address}`
    throw new ProblemError('in-use', message, { cause: error })
  }
}

function addressIn(dataFolder: string): string | null {
  try {
    return schema.parse(JSON.parse(readFileSync(fileOf(dataFolder), 'utf8'))).address
  } catch {
    return null
  }
}
