// npm run demo / test / check / ...: sets up, then runs the steps on the pinned Node 24.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { root, setUp } from './setup.mjs'
import { chooseTests, describeResults, longestFirst } from './test-files.mjs'

const [command, ...rest] = process.argv.slice(2)
const node = setUp()
const bin = (path) => [node, join(root, 'node_modules', path)]
const script = (path) => [node, join(root, path), ...rest]
const oxfmt = bin('oxfmt/bin/oxfmt')
const svelteCheck = [...bin('svelte-check/bin/svelte-check'), '--workspace', 'renderer', '--tsconfig', 'tsconfig.json']
const checks = [
  ['formatting', [...oxfmt, '--check', '.']],
  ['types', [...bin('typescript/bin/tsc'), '--noEmit']],
  ['types of the renderer', [...svelteCheck, '--fail-on-warnings', '--output', 'human']],
  ['lint', [...bin('oxlint/bin/oxlint'), '--deny-warnings']],
]
const cores = Math.max(2, availableParallelism())
const results = mkdtempSync(join(tmpdir(), 'secateur-results-'))
const resultsOf = (name) => join(results, `${name}.json`)
const isTest = /^test(:unit|:long)?$/.test(command)
/** Processes of tests keep what they compile: the next ones start in half the time. */
const testEnvironment = { NODE_COMPILE_CACHE: join(root, 'node_modules/.cache/compiled') }

/** What the specs open, built before so that no two of the tests build it at once. */
const renderer = ['build of the renderer', [node, join(root, 'scripts/build.ts'), 'renderer']]

/**
 * Tests of node:test, and beside them the specs that drive the app: those wait for pages and runs more than they compute. Both
 * follow what is given to be done before.
 */
function testSteps({ flags, tests, specs }, before = []) {
  const nodeTest = [node, join(root, 'scripts/run-tests.mjs'), ...flags, ...longestFirst(tests)]
  const config = join(root, 'test/e2e/app/playwright.config.ts')
  const playwright = [...bin('@playwright/test/cli.js'), 'test', '-c', config, ...specs]
  return [
    [...before, ...(specs.length ? [renderer] : [])],
    [...(tests.length ? [['tests', nodeTest]] : []), ...(specs.length ? [['tests of the app', playwright]] : [])],
  ]
}
/** Runs tests again when they or what they import changes, until Ctrl-C. */
const watchSteps = ({ flags, tests }) => [['tests', [node, '--test', '--watch', ...flags, ...tests]]]

/** Benchmarks that take turns with other programs, or measure one thing, by the word that `npm run bench` takes. */
const benchmarks = {
  'card-token': 'card-token.ts',
  training: 'training.ts',
  models: 'peft.ts',
  generation: 'generation.ts',
  tasks: 'evaluation.ts',
  vit: 'vit.ts',
  images: 'images.ts',
  distillation: 'distillation.ts',
  'scoring-memory': 'scoring-memory.ts',
  'protected-layers': 'protected-layers.ts',
  'removal-loss': 'removal-loss.ts',
}
/** What `npm run bench` measures by itself: what users wait for on a processor. */
const usualBenchmarks = ['training', 'models', 'generation']

/** The benchmark that the first word names, with the flags after it; flags alone are those of `training`. */
function benchSteps([first, ...flags]) {
  const step = (name, words = []) => [`bench ${name}`, [node, join(root, 'test/bench', benchmarks[name]), ...words]]
  if (first === undefined) return usualBenchmarks.map((name) => step(name))
  if (first.startsWith('-')) return [step('training', [first, ...flags])]
  if (!Object.hasOwn(benchmarks, first))
    throw new Error(`unknown benchmark "${first}"; use one of ${Object.keys(benchmarks).join(', ')}`)
  return [step(first, flags)]
}

/** What a package brings of llama.cpp for graphics cards: the build that runs on those of every maker. */
const forPackage = ['vulkan', '--into', join(root, 'out/llama-cpp'), '--if-any']

const commands = {
  start: () => [['start', script('scripts/start.ts')]],
  dev: () => [['dev', script('scripts/dev.ts')]],
  build: () => [['build', script('scripts/build.ts')]],
  package: () => [
    ['build', [node, join(root, 'scripts/build.ts')]],
    ['llama.cpp for cards', [node, join(root, 'scripts/install-llama-cpp.ts'), ...forPackage]],
    ['list of parts', [node, join(root, 'scripts/parts-list.ts')]],
    ['package', [...bin('electron-builder/cli.js'), '--publish', 'never', ...rest]],
  ],
  'try-package': () => [['try-package', script('scripts/try-package.ts')]],
  'make-icons': () => [['make-icons', script('scripts/make-icons.ts')]],
  demo: () => [['demo', script('scripts/demo/main.ts')]],
  experiments: () => [['experiments', [node, join(root, 'scripts/experiments.ts'), ...rest]]],
  'experiments:real': () => [['experiments:real', [node, join(root, 'scripts/experiments-real.ts'), ...rest]]],
  'make-sample': () => [['make-sample', script('scripts/make-sample/main.ts')]],
  'make-vision-sample': () => [['make-vision-sample', script('scripts/make-vision-sample/main.ts')]],
  'train-vit': () => [['train-vit', script('scripts/vision/main.ts')]],
  record: () => [['record', script('test/record/main.ts')]],
  bench: () => benchSteps(rest),
  'bench:app': () => [['bench:app', script('test/bench/app.ts')]],
  'bench:export': () => [['bench:export', script('test/bench/export.ts')]],
  'bench:memory': () => [['bench:memory', script('test/bench/memory/main.ts')]],
  'bench:gpu': () => [['bench:gpu', script('test/bench/gpu.ts')]],
  'profile:gpu': () => [['profile:gpu', script('test/bench/gpu-profile.ts')]],
  'test:gpu': () => [['test:gpu', script('test/gpu/main.ts')]],
  fuzz: () => [['fuzz', script('test/fuzz/main.ts')]],
  judge: () => [['judge', script('test/judges/main.ts')]],
  'install-cuda': () => [['install-cuda', script('scripts/install-cuda.mjs')]],
  'install-llama-cpp': () => [['install-llama-cpp', script('scripts/install-llama-cpp.ts')]],
  screenshots: () => [['screenshots', script('scripts/screenshots.ts')]],
  check: () => [checks],
  test: () => testSteps(chooseTests(rest), rest.length ? [] : checks),
  'test:long': () => testSteps(chooseTests(rest, { long: true })),
  'test:unit': () => testSteps(chooseTests(rest, { unit: true })),
  'test:watch': () => watchSteps(chooseTests(rest, { unit: true })),
  format: () => [['format', [...oxfmt, '.']]],
}
if (!Object.hasOwn(commands, command ?? ''))
  fail(`unknown command "${command}"; use one of ${Object.keys(commands).join(', ')}`)
let steps = []
try {
  steps = commands[command]()
} catch (error) {
  fail(error.message)
}
const silent = ['demo', 'start', 'dev'].includes(command)
let failure = 0
for (const step of steps) {
  const atOnce = typeof step[0] === 'string' ? [step] : step
  failure = (await runSteps(atOnce)).find((status) => status !== 0) ?? 0
  if (failure !== 0) break
}
if (isTest) console.log(describeResults(results, failure !== 0))
rmSync(results, { recursive: true })
process.exit(failure)

function fail(message) {
  console.error(`secateur: ${message}`)
  process.exit(2)
}

/**
 * Runs steps, as many at a time as there are cores; resolves with their exit codes. The first one prints as it goes, what
 * others print comes when all are over.
 */
async function runSteps(atOnce) {
  const ends = []
  const left = atOnce.entries()
  const lane = async () => {
    for (const [index, [name, line]] of left) {
      if (index === 0 && !silent) console.error(`secateur: ${name}`)
      ends[index] = await run(line, index > 0, name)
    }
  }
  await Promise.all(Array.from({ length: cores }, lane))
  for (const [index, { status, signal, output }] of ends.entries()) {
    const [name] = atOnce[index]
    if (index > 0) process.stderr.write(`secateur: ${name}\n${output}`)
    if (status !== 0 && !silent) console.error(`secateur: ${name} failed${signal ? ` (${signal})` : ''}`)
  }
  return ends.map(({ status }) => status ?? 1)
}

/** Runs a process to its end. A terminal's Ctrl-C reaches it by itself; signals that a program sends are passed on. */
function run([executable, ...args], held, name) {
  const env = { ...process.env, ...(isTest && testEnvironment), SECATEUR_TEST_RESULTS: resultsOf(name) }
  const child = spawn(executable, args, { cwd: root, stdio: held ? ['ignore', 'pipe', 'pipe'] : 'inherit', env })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', (more) => (output += more))
  const interrupt = () => process.stdin.isTTY || child.kill('SIGINT')
  const terminate = () => child.kill('SIGTERM')
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', terminate)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (status, signal) => {
      process.off('SIGINT', interrupt)
      process.off('SIGTERM', terminate)
      resolve({ status, signal, output })
    })
  })
}
