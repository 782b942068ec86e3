// Programs that benchmarks take turns with: those that `npm run judge` sets up, unless the user names others.
import { spawnSync } from 'node:child_process'
import { llamaCppFolder } from '../judges/llama-cpp-program.ts'
import { NotHere } from '../judges/not-here.ts'
import { judgePython } from '../judges/python.ts'

/**
 * The Python that a peer is to run in.
 *
 * @param named by the user; that of the judges unless given
 * @param peer what is left out, saying so, where there is none
 */
export function pythonOfJudges(named: string | undefined, peer: string): string | null {
  return orLeaveOut(peer, () => {
    const python = named ?? judgePython((what) => console.error(what))
    const { error, status, stderr } = spawnSync(python, ['-c', 'import torch'], { encoding: 'utf8' })
    if (error) throw new NotHere(`${python} could not be started: ${error.message}`)
    if (status !== 0) throw new NotHere(stderr.trim().split('\n').at(-1) ?? `${python} ended with ${status}`)
    return python
  })
}

/**
 * The folder in which node-llama-cpp is installed.
 *
 * @param named by the user; that of the judges unless given
 */
export function llamaCppOfJudges(named: string | undefined): string | null {
  return orLeaveOut('node-llama-cpp', () => named ?? llamaCppFolder((what) => console.error(what)))
}

function orLeaveOut(peer: string, find: () => string): string | null {
  try {
    return find()
  } catch (error) {
    if (!(error instanceof NotHere)) throw error
    console.error(`${peer} is left out, there are no ratios: ${error.message}`)
    return null
  }
}
