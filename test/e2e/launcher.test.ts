import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { sample, temporaryFolder } from './secateur.ts'

const folder = temporaryFolder()
const onLinux = process.platform === 'linux' ? {} : { skip: 'finds the engine in /proc' }

/** A run of many steps that the launcher starts, once its first steps are done. */
async function startRun(name: string) {
  const out = join(folder, name)
  const settings =
    '--device onnx --threads 1 --steps 100000 --batch-size 1 --sequence-length 8 --rank 1 --save-every 100000 --json'
  const launcher = spawn(
    process.execPath,
    [
      resolve(import.meta.dirname, '../../scripts/secateur.mjs'),
      'finetune',
      sample('model'),
      '--data',
      sample('heldout.txt'),
      '--out',
      out,
      ...settings.split(' '),
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  let errors = ''
  launcher.stderr.setEncoding('utf8').on('data', (more: string) => (errors += more))
  await new Promise<void>((done, failed) => {
    launcher.stdout.setEncoding('utf8').on('data', (more: string) => {
      if (more.includes('"type":"step"')) done()
    })
    launcher.on('close', () => failed(new Error(errors)))
  })
  const engine = childOf(launcher)
  return { launcher, engine, out, errors: () => errors }
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
