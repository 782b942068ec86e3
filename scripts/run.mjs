// npm run demo / test / check / ...: sets up, then runs the steps on the pinned Node 24.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { globSync } from './glob.mjs'
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
const specs = rest.filter((path) => path.endsWith('.spec.ts'))
const named = rest.filter((path) => !path.endsWith('.spec.ts'))
const totals = mkdtempSync(join(tmpdir(), 'secateur-totals-'))
const totalsOf = (name) => join(totals, `${name}.json`)

/** Tests of node:test, then the specs that drive the app; without names, all of both. */
function tests() {
  const files = rest.length ? named : globSync(join(root, 'test'), /\.test\.ts$/)
  const reporters = [
    '--test-reporter=spec',
    '--test-reporter-destination=stdout',
    '--test-reporter=./scripts/test-totals.mjs',
    `--test-reporter-destination=${totalsOf('tests')}`,
  ]
  const config = join(root, 'test/e2e/app/playwright.config.ts')
  return [
    ...(files.length ? [['tests', [node, '--test', ...reporters, ...files]]] : []),
    ...(!rest.length || specs.length
      ? [['tests of the app', [...bin('@playwright/test/cli.js'), 'test', '-c', config, ...specs]]]
      : []),
  ]
}
const commands = {
  start: () => [['start', script('scripts/start.ts')]],
  dev: () => [['dev', script('scripts/dev.ts')]],
  build: () => [['build', script('scripts/build.ts')]],
  package: () => [
    ['build', [node, join(root, 'scripts/build.ts')]],
    ['package', [...bin('electron-builder/cli.js'), '--publish', 'never', ...rest]],
  ],
  'make-icons': () => [['make-icons', script('scripts/make-icons.ts')]],
  demo: () => [['demo', script('scripts/demo.ts')]],
  experiments: () => [['experiments', [node, join(root, 'scripts/experiments.ts'), ...rest]]],
  'make-sample': () => [['make-sample', script('scripts/make-sample/main.ts')]],
  bench: () => [['bench', script('test/bench/training.ts')]],
  'bench:app': () => [['bench:app', script('test/bench/app.ts')]],
  'bench:gpu': () => [['bench:gpu', script('test/bench/gpu.ts')]],
  'profile:gpu': () => [['profile:gpu', script('test/bench/gpu-profile.ts')]],
  'test:gpu': () => [['test:gpu', script('test/gpu/main.ts')]],
  'install-cuda': () => [['install-cuda', script('scripts/install-cuda.mjs')]],
  screenshots: () => [['screenshots', script('scripts/screenshots.ts')]],
  check: () => checks,
  test: () => [...(rest.length ? [] : checks), ...tests()],
  format: () => [['format', [...prettier, '--write', '.']]],
}
const silent = ['demo', 'start', 'dev']
if (!Object.hasOwn(commands, command ?? '')) {
  console.error(`secateur: unknown command "${command}"; use one of ${Object.keys(commands).join(', ')}`)
  process.exit(2)
}
let failure = 0
for (const [name, line] of commands[command]()) {
  if (!silent.includes(command)) console.error(`secateur: ${name}`)
  const { status, signal } = await run(line, { SECATEUR_TEST_TOTALS: totalsOf(name) })
  if (status === 0) continue
  if (!silent.includes(command)) console.error(`secateur: ${name} failed${signal ? ` (${signal})` : ''}`)
  failure = status ?? 1
  // The tests of the app say something even where others failed.
  if (name !== 'tests') break
}
if (command === 'test') printTotals()
rmSync(totals, { recursive: true })
process.exit(failure)

/** How many tests there were in all, as the last line. */
function printTotals() {
  const counts = globSync(totals, /\.json$/).map((file) => JSON.parse(readFileSync(file, 'utf8')))
  const sum = (key) => counts.reduce((total, count) => total + count[key], 0)
  const missing = failure !== 0 && sum('failed') === 0 ? 1 : 0
  console.log(`${sum('passed')} passed, ${sum('failed') + missing} failed, ${sum('skipped')} skipped`)
}

/** Runs a step to its end. A terminal's Ctrl-C reaches it by itself; signals that a program sends are passed on. */
function run([executable, ...args], env) {
  const child = spawn(executable, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } })
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
