import { execFileSync, spawnSync } from 'node:child_process'
import type { TestContext } from 'node:test'

/** A Python that has these modules, or undefined, with the test skipped. */
export function pythonWith(context: TestContext, ...modules: string[]): string | undefined {
  const python = ['python3', '/usr/bin/python3'].find(
    (each) => spawnSync(each, ['-c', `import ${modules.join(', ')}`], { stdio: 'ignore' }).status === 0,
  )
  if (!python) context.skip(`no python3 with ${modules.join(' and ')} is installed`)
  return python
}

/** Runs a script and parses the JSON that it prints. */
export const runPython = (python: string, script: string, ...args: string[]): unknown =>
  JSON.parse(execFileSync(python, ['-c', script, ...args], { encoding: 'utf8' }))
