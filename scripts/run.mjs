// npm run demo / test / check / format / make-sample / bench / install-cuda: sets up, then runs the steps on the pinned Node 24.
import { spawnSync } from 'node:child_process'
import { globSync } from './glob.mjs'
import { join } from 'node:path'
import { root, setUp } from './setup.mjs'

const [command, ...rest] = process.argv.slice(2)
const node = setUp()
const bin = (path) => [node, join(root, 'node_modules', path)]
const prettier = bin('prettier/bin/prettier.cjs')
const checks = [
  ['formatting', [...prettier, '--check', '.']],
  ['lint', [...bin('oxlint/bin/oxlint'), '--deny-warnings']],
  ['types', [...bin('typescript/bin/tsc'), '--noEmit']],
]
const tests = () => (rest.length ? rest : globSync(join(root, 'test'), /\.test\.ts$/))
const commands = {
  demo: () => [['demo', [node, join(root, 'scripts/demo.ts'), ...rest]]],
  'make-sample': () => [['make-sample', [node, join(root, 'scripts/make-sample/main.ts'), ...rest]]],
  bench: () => [['bench', [node, join(root, 'test/bench/training.ts'), ...rest]]],
  'install-cuda': () => [['install-cuda', [node, join(root, 'scripts/install-cuda.mjs')]]],
  check: () => checks,
  test: () => [...(rest.length ? [] : checks), ['tests', [node, '--test', '--test-reporter=spec', ...tests()]]],
  format: () => [['format', [...prettier, '--write', '.']]],
}
if (!Object.hasOwn(commands, command ?? '')) {
  console.error(`secateur: unknown command "${command}"; use one of ${Object.keys(commands).join(', ')}`)
  process.exit(2)
}
for (const [name, [executable, ...args]] of commands[command]()) {
  if (command !== 'demo') console.error(`secateur: ${name}`)
  const { status, signal } = spawnSync(executable, args, { cwd: root, stdio: 'inherit' })
  if (status !== 0) {
    console.error(`secateur: ${name} failed${signal ? ` (${signal})` : ''}`)
    process.exit(status ?? 1)
  }
}
