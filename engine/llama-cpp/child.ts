import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { compiledFolder } from '../shared/cache-folder.ts'
import { isDebugging } from '../shared/log.ts'

/** Starts a process that llama.cpp is to be loaded in. It may print to pipes; messages are cloned. */
export function startProcess(file: URL, args: readonly string[] = []): ChildProcess {
  const child = fork(fileURLToPath(file), args, {
    execArgv: [],
    env: plainEnvironment(),
    serialization: 'advanced',
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  if (isDebugging) child.stderr?.pipe(process.stderr, { end: false })
  return child
}

/**
 * What the engine's own memory needs (resources/engine-environment.json) is not what llama.cpp's does. What other processes
 * compiled is loaded: the schemas of messages are most of what such a process starts with.
 */
function plainEnvironment(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _, ...rest } = process.env
  const plain = Object.entries(rest).filter(([name]) => !name.startsWith('MALLOC_'))
  return { NODE_COMPILE_CACHE: compiledFolder(), ...Object.fromEntries(plain) }
}
