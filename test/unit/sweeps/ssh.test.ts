import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { clusterSchema, evaluateSchema, sweepSchema } from '../../../engine/contract/index.ts'
import { explainRefusal } from '../../../engine/runners/ssh/explain.ts'
import { FrameReader, FrameWriter } from '../../../engine/runners/ssh/frames.ts'
import { loginOf, relayCommand, sshArguments } from '../../../engine/runners/ssh/login.ts'
import type { FileMessage, RelayMessage } from '../../../engine/runners/ssh/messages.ts'
import { Mirror } from '../../../engine/runners/ssh/mirror.ts'
import { Outbox } from '../../../engine/runners/ssh/outbox.ts'
import { jobThere, pathThere } from '../../../engine/runners/ssh/job-there.ts'

const folder = mkdtempSync(join(tmpdir(), 'secateur-ssh-unit-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const clusterVia = (via: string, others: object = {}) =>
  clusterSchema.safeParse({ via, remote: '/shared/sweep', secateur: '/shared/secateur', ...others })
const login = loginOf(clusterVia('ssh://me@login.lab:2222').data!)!

test('an address of a login node is read, and none can be taken for an option of ssh', () => {
  assert.deepEqual([login.destination, login.port], ['me@login.lab', '2222'])
  const [alias, six] = ['ssh://lab', 'ssh://me@[fe80::1]:22/'].map((via) => loginOf(clusterVia(via).data!)!)
  assert.deepEqual([alias?.destination, alias?.port, six?.destination], ['lab', null, 'me@fe80::1'])
  for (const via of [
    'login',
    'ssh://-oProxyCommand=x',
    'ssh://a b',
    'ssh://me@-x',
    'ssh://h:p',
    'ssh://h/x',
    "ssh://h';",
  ])
    assert.ok(!clusterVia(via).success, via)
  assert.ok(!clusterVia('ssh://lab', { remote: 'relative' }).success)
  assert.ok(!clusterVia('ssh://lab', { secateur: undefined }).success)
  assert.match(clusterSchema.safeParse({ remote: '/x' }).error!.message, /add via/)
  const words = sshArguments(login)
  for (const option of ['BatchMode=yes', 'StrictHostKeyChecking=yes', 'ForwardAgent=no'])
    assert.ok(words.includes(option))
  assert.equal(words.at(-3), '--')
})

const isWindows = process.platform === 'win32' && 'a login node has bash'
test('a folder of any name reaches the login node as one word', { skip: isWindows }, () => {
  const secateur = join(folder, `it's "50%" $HOME \`x\` \\`)
  mkdirSync(join(secateur, 'node_modules/.bin'), { recursive: true })
  writeFileSync(join(secateur, 'node_modules/.bin/node'), '#!/bin/sh\nprintf "<%s>" "$@"\n', { mode: 0o755 })
  for (const shell of ['sh', 'bash'])
    assert.equal(
      execFileSync(shell, ['-c', relayCommand(secateur)], { encoding: 'utf8', env: { ...process.env, HOME: folder } }),
      `<${secateur}/engine/entries/main.ts><sweep-relay>`,
    )
})

test('paths lead to where the cluster has them', () => {
  const map = { '/home/me': '/shared/me', '/home/me/data/': '/data', 'C:\\models': '/shared/models' }
  assert.equal(pathThere('/home/me/model', map), '/shared/me/model')
  assert.equal(pathThere('/home/me/data/a.jsonl', map), '/data/a.jsonl')
  assert.equal(pathThere('/home/meadow/x', map), '/home/meadow/x')
  assert.equal(pathThere('C:\\models\\llama\\small', map), '/shared/models/llama/small')
  const cluster = clusterVia('ssh://lab', { map }).data!
  const base = { data: ['/home/me/a.jsonl'], evaluation: { perplexity: { held: '/home/me/b.txt' } } }
  const sweep = sweepSchema.parse({ kind: 'sweep', checkpoint: '/home/me/model', out: 'here', base, cluster })
  const there = jobThere(sweep, cluster, loginOf(cluster)!)
  assert.ok(there.kind === 'sweep')
  assert.deepEqual([there.checkpoint, there.out], ['/shared/me/model', '/shared/sweep'])
  assert.deepEqual(there.base, {
    data: ['/shared/me/a.jsonl'],
    evaluation: { perplexity: { held: '/shared/me/b.txt' } },
  })
  assert.deepEqual([there.cluster?.via, there.cluster?.map, there.cluster?.watch], [undefined, undefined, false])
})

test('paths of an evaluation lead there too, texts stay as they are, and files are written beside its folder there', () => {
  const cluster = clusterVia('ssh://lab', { map: { '/home/me': '/shared/me' } }).data!
  const job = evaluateSchema.parse({
    kind: 'evaluate',
    checkpoint: '/home/me/model',
    compareWith: '/home/me/dense',
    out: 'here',
    cluster,
    evaluation: {
      tasks: { piqa: '/home/me/piqa' },
      prompts: ['/home/me is my home'],
      predictions: '/home/me/out/rows.jsonl',
    },
  })
  const there = jobThere(job, cluster, loginOf(cluster)!)
  assert.ok(there.kind === 'evaluate')
  const { tasks, prompts, predictions, lmEvalJson } = there.evaluation
  assert.deepEqual(
    [there.checkpoint, there.compareWith, there.out],
    ['/shared/me/model', '/shared/me/dense', '/shared/sweep'],
  )
  assert.deepEqual([tasks, prompts], [{ piqa: '/shared/me/piqa' }, ['/home/me is my home']])
  assert.deepEqual([predictions, lmEvalJson], ['/shared/sweep/rows.jsonl', undefined])
  assert.deepEqual([there.cluster?.via, there.cluster?.watch], [undefined, false])
  assert.deepEqual(evaluateSchema.parse(there), there)
})

const refused = (code: number | null, words: string, error?: NodeJS.ErrnoException) =>
  explainRefusal(login, { code, words, ...(error && { error }) }).message

test('what keeps ssh from connecting is said in words', () => {
  assert.match(
    refused(255, 'No ED25519 host key is known for login.\r\nHost key verification failed.'),
    /host key of me@login\.lab is not known here\. Type "ssh -p 2222 me@login\.lab" once/,
  )
  assert.match(refused(255, '@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @'), /another one than before/)
  assert.match(refused(255, 'me@login: Permission denied (publickey).'), /does not let you in.*must work without one/)
  assert.match(refused(255, 'ssh: connect to host x port 22: Connection refused'), /cannot be reached: .*refused/)
  assert.match(refused(127, 'bash: no such file'), /no Secateur in \/shared\/secateur on me@login\.lab/)
  assert.match(refused(1, 'Error: Cannot find module /x/main.ts'), /no Secateur in/)
  assert.match(refused(2, "error: unknown command 'sweep-relay'"), /must be of the same version/)
  const none = Object.assign(new Error('spawn ssh ENOENT'), { code: 'ENOENT' })
  assert.match(refused(null, '', none), /there is no ssh on this computer/)
})

/** Bytes, cut into pieces of a size. */
async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

const odd = (text: string) => new FrameReader(pieces(Buffer.from(text), 50), 'lab')

test('messages are read wherever they are cut, after what a shell prints; what is none is refused', async () => {
  const written: Buffer[] = []
  const writer = new FrameWriter(async (bytes) => void written.push(Buffer.from(bytes)))
  written.push(Buffer.from('Welcome\nto the cluster'))
  await writer.greet('1.2.3')
  const file = {
    type: 'file',
    path: 'dense/log.jsonl',
    grows: true,
    offset: 0,
    length: 5,
    size: 5,
    modified: 1,
  } as const
  await writer.send(file, Buffer.from('a\n\0\n{'))
  await writer.send({ type: 'note', level: 'info', message: 'grün' })
  for (const size of [1, 7, 1000]) {
    const reader = new FrameReader(pieces(Buffer.concat(written), size), 'lab')
    assert.deepEqual(await reader.greeting(), { version: '1.2.3' })
    assert.equal((await reader.next())!.bytes.toString(), 'a\n\0\n{')
    assert.deepEqual((await reader.next())!.message, { type: 'note', level: 'info', message: 'grün' })
    assert.equal(await reader.next(), null)
  }
  assert.equal(await odd('no relay here\n').greeting(), null)
  await assert.rejects(odd('x\n'.repeat(40_000)).greeting(), /lab does not answer as Secateur does/)
  await assert.rejects(odd('y'.repeat(200_000)).greeting(), /lab does not answer as Secateur does/)
  await assert.rejects(odd('{"type":"rm -rf"}\n').next(), /lab: type/)
  await assert.rejects(odd('{"type":"began","name":"../x"}\n').next(), /lab: name/)
})

/** Sends what is new of a sweep's folder into a copy, as the two sides of a connection do. */
async function copy(from: string, mirror: Mirror, isOver: boolean, fetchOutputs = false): Promise<RelayMessage[]> {
  const sent: RelayMessage[] = []
  const writer = new FrameWriter(async (bytes) => {
    const frame = await new FrameReader(pieces(Buffer.from(bytes), 1 << 20), 'lab').next()
    sent.push(frame!.message)
    if (frame!.message.type === 'file') mirror.take(frame!.message, frame!.bytes)
    if (frame!.message.type === 'gone') mirror.drop(frame!.message.path)
  })
  const outbox = new Outbox(from, { places: ['runs/1-a'], held: mirror.held(), fetchOutputs }, writer)
  await outbox.send({ key: '1-a', place: 'runs/1-a', id: '17_0', isOver })
  return sent
}

const pathsOf = (messages: RelayMessage[]) => messages.flatMap((one) => ('path' in one ? [one.path] : []))

test('a copy of a run gets what is new, its result last, and weights only where they are wanted', async () => {
  const [there, here] = [join(folder, 'there'), join(folder, 'here')]
  const put = (name: string, text: string) => writeFileSync(join(there, name), text)
  for (const name of ['runs/1-a/output', 'runs/1-a/state', 'runs/1-a/predictions', 'cluster/logs'])
    mkdirSync(join(there, name), { recursive: true })
  put('runs/1-a/run.json', '{}')
  put('runs/1-a/metrics.jsonl', '{"step":1}\n')
  put('runs/1-a/lock.json', '{}')
  put('runs/1-a/state/state.safetensors', 'state')
  put('runs/1-a/output/model.safetensors', 'weights')
  put('runs/1-a/predictions/result.piqa.json', '[]')
  put('runs/1-a/result.json', '{"of":"an earlier attempt"}')
  put('cluster/logs/17_0.log', 'begins\n')
  const plain = new Mirror(here, ['runs/1-a'], false)
  const read = (name: string) => readFileSync(join(here, name), 'utf8')
  assert.deepEqual(pathsOf(await copy(there, plain, false)), [
    'cluster/logs/17_0.log',
    'runs/1-a/run.json',
    'runs/1-a/metrics.jsonl',
    'runs/1-a/predictions/result.piqa.json',
  ])
  assert.deepEqual(await copy(there, plain, false), [], 'nothing is sent twice, over another connection either')

  put('runs/1-a/metrics.jsonl', '{"step":1}\n{"step":2}\n')
  const [more] = (await copy(there, plain, false)) as [FileMessage]
  assert.deepEqual([more.offset, more.length, read('runs/1-a/metrics.jsonl')], [11, 11, '{"step":1}\n{"step":2}\n'])
  put('runs/1-a/metrics.jsonl', '{"step":9}\n{"step":8}\n{"step":7}\n')
  assert.equal(((await copy(there, plain, false)) as [FileMessage])[0].offset, 0, 'it went back, and is read anew')
  assert.equal(read('runs/1-a/metrics.jsonl'), '{"step":9}\n{"step":8}\n{"step":7}\n')

  assert.deepEqual(pathsOf(await copy(there, plain, true)), ['runs/1-a/result.json'])
  rmSync(join(there, 'runs/1-a/result.json'))
  assert.deepEqual(await copy(there, plain, false), [{ type: 'gone', path: 'runs/1-a/result.json' }])
  assert.ok(!existsSync(join(here, 'runs/1-a/result.json')))

  const whole = new Mirror(here, ['runs/1-a'], true)
  await copy(there, whole, true, true)
  assert.ok(!existsSync(join(here, 'runs/1-a/output')), 'not before all of it is there')
  whole.finish('runs/1-a')
  assert.equal(read('runs/1-a/output/model.safetensors'), 'weights')
  assert.deepEqual(await copy(there, whole, true, true), [])
})

const piece = (path: string, others: Partial<FileMessage> = {}): FileMessage => ({
  type: 'file',
  path,
  grows: path.endsWith('.jsonl') || path.endsWith('.log'),
  offset: 0,
  length: 1,
  size: 1,
  modified: 1,
  ...others,
})

test('a cluster cannot write what no task has', () => {
  const here = join(folder, 'guarded')
  const mirror = new Mirror(here, ['dense', 'runs/1-a'], false)
  const take = (message: FileMessage) => mirror.take(message, Buffer.from('x'))
  for (const path of [
    '../x.json',
    '/etc/x.json',
    'run.json',
    'report.md',
    'cluster/submissions.json',
    'runs/2-b/run.json',
    'runs/1-a/../../x.json',
    'runs/1-a/lock.json',
    'runs/1-a/state/state.safetensors',
    'runs/1-a/output/model.safetensors',
    'runs/1-a/.ssh.json',
    'runs/1-a/c:\\x.json',
    'runs\\1-a\\x.json',
    'dense/run.sh',
    'cluster/failures/2-b.json',
    'cluster/logs/../x.log',
  ])
    assert.throws(() => take(piece(path)), /sent what no task has/, path)
  assert.throws(() => take(piece('dense/run.json', { size: 1 << 30 })), /sent what no task has/)
  assert.throws(() => take(piece('dense/log.jsonl', { offset: 5, size: 6 })), /sent what no task has/)
  assert.throws(() => take(piece('dense/log.jsonl', { grows: false })), /sent what no task has/)
  assert.throws(() => mirror.drop('../x.json'), /sent what no task has/)
  assert.ok(!existsSync(here))
})
