import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { sample, temporaryFolder } from './secateur.ts'

const folder = temporaryFolder()
const onLinux = process.platform === 'linux' ? {} : { skip: 'finds the engine in /proc' }

/** The launcher with a run of many steps. */
const commandOf = (out: string): [program: string, ...args: string[]] => [
  process.execPath,
  resolve(import.meta.dirname, '../../scripts/secateur.mjs'),
  'finetune',
  sample('model'),
  '--data',
  sample('heldout.txt'),
  '--out',
  out,
  ...'--device onnx --threads 1 --steps 100000 --batch-size 1 --sequence-length 8 --rank 1'.split(' '),
  ...'--save-every 100000 --json'.split(' '),
]

/** Starts a program that prints the events of a run, and waits for its first steps. */
async function startedWith(program: string, args: readonly string[]) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (more: string) => (errors += more))
  await new Promise<void>((done, failed) => {
    child.stdout.setEncoding('utf8').on('data', (more: string) => {
      if (more.includes('"type":"step"')) done()
    })
    child.on('error', failed)
    child.on('close', () => failed(new Error(errors)))
  })
  return { child, errors: () => errors }
}

/** A run of many steps that the launcher starts, once its first steps are done. */
async function startRun(name: string) {
  const out = join(folder, name)
  const [program, ...args] = commandOf(out)
  const { child: launcher, errors } = await startedWith(program, args)
  return { launcher, engine: childOf(launcher), out, errors }
}

function childOf({ pid }: ChildProcess): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number)
  assert.equal(children.length, 1)
  return children[0]!
}

const hasState = (out: string) => existsSync(join(out, 'state')) && readdirSync(join(out, 'state')).length > 0

async function isGone(pid: number): Promise<boolean> {
  for (let tries = 0; tries < 200; tries++) {
    if (!existsSync(`/proc/${pid}`)) return true
    await new Promise((resume) => setTimeout(resume, 100))
  }
  return false
}

test('a terminal that is closed stops a run with its state saved', onLinux, async () => {
  const { launcher, out, errors } = await startRun('hung-up')
  launcher.kill('SIGHUP')
  const [code] = (await once(launcher, 'close')) as [number]
  assert.equal(code, 130, errors())
  assert.ok(hasState(out))
})

const hasTerminals =
  process.platform === 'linux' && spawnSync('sh', ['-c', 'command -v script && command -v setsid']).status === 0
const inTerminal = hasTerminals ? {} : { skip: 'needs the programs script and setsid of util-linux' }

const quoted = (words: readonly string[]): string => words.map((word) => `'${word}'`).join(' ')

test('a terminal that is gone without a signal stops a run with its state saved', inTerminal, async () => {
  const [out, code] = [join(folder, 'gone'), join(folder, 'code')]
  // In a session of its own the run hears nothing of the terminal's end but that it cannot be written to.
  const inSession = join(folder, 'in-session.sh')
  writeFileSync(inSession, `${quoted(commandOf(out))}\necho $? > '${code}.partial'\nmv '${code}.partial' '${code}'\n`)
  const command = `setsid -w sh ${quoted([inSession])}`
  const { child: terminal } = await startedWith('script', ['-qfc', command, '/dev/null'])
  terminal.kill('SIGKILL')
  for (let tries = 0; tries < 200 && !existsSync(code); tries++)
    await new Promise((resume) => void setTimeout(resume, 100))
  assert.equal(readFileSync(code, 'utf8').trim(), '130')
  const { outcome } = JSON.parse(readFileSync(join(out, 'result.json'), 'utf8')) as { outcome: object }
  assert.partialDeepStrictEqual(outcome, { type: 'error', kind: 'interrupted' })
  assert.ok(hasState(out))
})

test('a launcher that is killed leaves no engine behind, and the state is saved', onLinux, async () => {
  const { launcher, engine, out } = await startRun('orphan')
  launcher.kill('SIGKILL')
  assert.ok(await isGone(engine), 'the engine goes on without its launcher')
  assert.ok(hasState(out))
})

test('an engine that is killed is told of, with the signal and what it may mean', onLinux, async () => {
  for (const [signal, expected, cause] of [
    ['SIGKILL', 137, /the engine was ended by SIGKILL.*memory ran out/],
    ['SIGSEGV', 139, /the engine was ended by SIGSEGV: a fault in native code/],
  ] as const) {
    const { launcher, engine, errors } = await startRun(signal)
    process.kill(engine, signal)
    const [code] = (await once(launcher, 'close')) as [number]
    assert.equal(code, expected)
    assert.match(errors(), cause)
  }
})

test('help that nobody reads to its end is no error', async () => {
  const launcher = spawn(
    process.execPath,
    [resolve(import.meta.dirname, '../../scripts/secateur.mjs'), 'prune', '--help'],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  // As `head` does: the pipe's other end is closed before anything was written.
  launcher.stdout.destroy()
  let errors = ''
  launcher.stderr.setEncoding('utf8').on('data', (more: string) => (errors += more))
  const [code] = await once(launcher, 'close')
  assert.deepEqual([code, errors], [0, ''])
})
