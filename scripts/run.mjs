// npm run demo / test / check / ...: sets up, then runs the steps on the pinned Node 24.
import { spawn } from 'node:child_process'
import { globSync } from './glob.mjs'
import { join } from 'node:path'
import { root, setUp } from './setup.mjs'

const [command, ...rest] = process.argv.slice(2)
const node = setUp()
const bin = (path) => [node, join(root, 'node_modules', path)]
const script = (path) => [node, join(root, path), ...rest]
const prettier = bin('prettier/bin/prettier.cjs')
const svelteCheck = [...bin('svelte-check/bin/svelte-check'), '--workspace', 'renderer', '--tsconfig', 'tsconfig.json']
const checks = [
  ['formatting', [...prettier, '--check', '.']],
  ['lint', [...bin('oxlint/bin/oxlint'), '--deny-warnings']],
  ['types', [...bin('typescript/bin/tsc'), '--noEmit']],
  ['types of the renderer', [...svelteCheck, '--fail-on-warnings', '--output', 'human']],
]
const tests = () => (rest.length ? rest : globSync(join(root, 'test'), /\.test\.ts$/))
const commands = {
  start: () => [['start', script('scripts/start.ts')]],
  dev: () => [['dev', script('scripts/dev.ts')]],
  build: () => [['build', script('scripts/build.ts')]],
  demo: () => [['demo', script('scripts/demo.ts')]],
  'make-sample': () => [['make-sample', script('scripts/make-sample/main.ts')]],
  bench: () => [['bench', script('test/bench/training.ts')]],
  'bench:app': () => [['bench:app', script('test/bench/app.ts')]],
  'install-cuda': () => [['install-cuda', script('scripts/install-cuda.mjs')]],
  check: () => checks,
  test: () => [...(rest.length ? [] : checks), ['tests', [node, '--test', '--test-reporter=spec', ...tests()]]],
  format: () => [['format', [...prettier, '--write', '.']]],
}
const silent = ['demo', 'start', 'dev']
if (!Object.hasOwn(commands, command ?? '')) {
  console.error(`secateur: unknown command "${command}"; use one of ${Object.keys(commands).join(', ')}`)
  process.exit(2)
}
for (const [name, line] of commands[command]()) {
  if (!silent.includes(command)) console.error(`secateur: ${name}`)
  const { status, signal } = await run(line)
  if (status !== 0) {
    if (!silent.includes(command)) console.error(`secateur: ${name} failed${signal ? ` (${signal})` : ''}`)
    process.exit(status ?? 1)
  }
}

/** Runs a step to its end. A terminal's Ctrl-C reaches it by itself; signals that a program sends are passed on. */
function run([executable, ...args]) {
  const child = spawn(executable, args, { cwd: root, stdio: 'inherit' })
  const interrupt = () => process.stdin.isTTY || child.kill('SIGINT')
  const terminate = () => child.kill('SIGTERM')
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', terminate)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (status, signal) => {
      process.off('SIGINT', interrupt)
      process.off('SIGTERM', terminate)
      resolve({ status, signal })
    })
  })
}
