import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { toProblem } from '../../electron/problems.ts'
import { packRun, unpackRun } from '../../electron/services/run-archive.ts'
import {
  exportGgufSchema,
  exportOnnxSchema,
  exportSafetensorsSchema,
  finetuneSchema,
} from '../../engine/contract/index.ts'
import { type ExportControl, exportGguf } from '../../engine/export/gguf/export.ts'
import { exportOnnx } from '../../engine/export/onnx/export.ts'
import { exportSafetensors } from '../../engine/export/safetensors.ts'
import { failureOf } from '../../engine/shared/errors.ts'
import { type Checkpoint, openCheckpoint } from '../../engine/models/checkpoint.ts'
import { tensorsOf } from '../../engine/models/tensors.ts'
import { writeCheckpoint } from '../../engine/models/write-checkpoint.ts'
import { inRunFolder } from '../../engine/runs/run-folder.ts'
import { TopCacheFolder } from '../../engine/runs/top-cache.ts'
import { Random } from '../../engine/shared/random.ts'
import { fixtureModel } from '../fixtures/read.ts'
import { treeOf } from './files.ts'
import { aManifest } from './targets/folders.ts'

const sample = join(import.meta.dirname, '../../resources/sample/model')
const disk = mkdtempSync(join(tmpdir(), 'secateur-disk-'))
const elsewhere = mkdtempSync(join(tmpdir(), 'secateur-beside-'))
const isMounted = mount()
after(() => {
  if (isMounted) execFileSync('umount', [disk])
  for (const folder of [disk, elsewhere]) rmSync(folder, { recursive: true, force: true })
})
const skip = !isMounted && 'a disk of 256 kB cannot be mounted: that takes Linux, and its root'

/** A disk of 256 kB in memory. */
function mount(): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', disk], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

const values = (length: number) => new Map([['adapter.0.q.a', { shape: [length], data: new Float32Array(length) }]])
const isFull = (error: unknown) => toProblem(error).kind === 'does-not-fit'
const control = { signal: new AbortController().signal, progress: () => {} }

test('a checkpoint that does not fit says so, and leaves nothing behind', { skip }, async () => {
  using checkpoint = openCheckpoint(fixtureModel('llama_gqa'))
  const { config } = checkpoint
  const tensors = tensorsOf(config).map(({ name }) => checkpoint.read(name))
  const copies = Array.from({ length: 4 }, (_, at) =>
    writeCheckpoint(join(disk, `copy-${at}`), { config, dtype: 'float32', tensors: tensors.values() }),
  )
  const failures = (await Promise.allSettled(copies)).flatMap((copy) =>
    copy.status === 'rejected' ? [failureOf(copy.reason)] : [],
  )
  assert.ok(failures.length > 0)
  for (const { kind, message } of failures) {
    assert.equal(kind, 'does-not-fit', message)
    assert.match(message, /the disk is full/)
  }
  assert.deepEqual(
    treeOf(disk).filter((name) => name.includes('partial')),
    [],
  )
  for (const at of copies.keys()) rmSync(join(disk, `copy-${at}`), { recursive: true, force: true })
  assert.deepEqual(treeOf(disk), [])
})

const exportOf = (out: string) => ({ kind: 'export', checkpoint: sample, out })
const exporters: [string, (checkpoint: Checkpoint, out: string, given: ExportControl) => Promise<unknown>][] = [
  ...(['f32', 'q8_0'] as const).map((type): (typeof exporters)[number] => [
    `gguf ${type}`,
    (checkpoint, out, given) =>
      exportGguf(exportGgufSchema.parse({ ...exportOf(out), format: 'gguf', type }), checkpoint, given),
  ]),
  [
    'safetensors',
    (checkpoint, out, given) =>
      exportSafetensors(exportSafetensorsSchema.parse({ ...exportOf(out), format: 'safetensors' }), checkpoint, given),
  ],
  [
    'onnx',
    (checkpoint, out, given) =>
      exportOnnx(exportOnnxSchema.parse({ ...exportOf(out), format: 'onnx' }), checkpoint, given),
  ],
]

for (const [name, write] of exporters)
  test(`an export whose disk fills up says so, and leaves nothing: ${name}`, { skip }, async () => {
    using checkpoint = openCheckpoint(sample)
    const folder = join(disk, 'exports')
    const writing = write(checkpoint, join(folder, 'model.gguf'), { ...control, say() {}, warn() {}, prove: null })
    await assert.rejects(writing, (error) => {
      assert.match(failureOf(error).message, /the disk is full/)
      return isFull(error)
    })
    assert.deepEqual(treeOf(folder), [])
    rmSync(folder, { recursive: true })
  })

test('a run keeps its last state when there is no room for the next, and goes on once there is', { skip }, async () => {
  const out = join(disk, 'run')
  const job = { ...finetuneSchema.parse({ kind: 'finetune', checkpoint: 'm', data: ['a'], out }), out }
  const context = { ...control, emit: () => {} }
  const run = inRunFolder(job, { ...context, resume: false }, async (folder) => {
    folder.save(1, values(10_000))
    folder.save(2, values(60_000))
    return { type: 'result' }
  })
  await assert.rejects(run, (error) => failureOf(error).kind === 'does-not-fit')
  assert.deepEqual(
    treeOf(out).filter((name) => /partial|lock/.test(name)),
    [],
  )
  await inRunFolder(job, { ...context, resume: true }, async (folder) => {
    assert.equal(folder.load()!.step, 1)
    folder.save(2, values(20_000))
    assert.equal(folder.load()!.step, 2)
    return { type: 'result' }
  })
  rmSync(out, { recursive: true })
})

test(
  'a cache of the likeliest tokens whose disk fills up keeps what is whole, and says once that it keeps no more',
  { skip },
  () => {
    const place = join(disk, 'likeliest')
    const [k, length] = [512, 16]
    const top = {
      k,
      ids: Int32Array.from({ length: k * length }, (_, at) => at % k),
      shares: new Float32Array(k * length),
    }
    const batchOf = (token: number) => ({
      rows: 1,
      length,
      targets: length,
      ids: new Int32Array(length).fill(token),
      labels: new Int32Array(length).fill(1),
      segments: null,
      positions: null,
    })
    const warnings: string[] = []
    const known = (cache: TopCacheFolder) =>
      Array.from({ length: 6 }, (_, token) => cache.find(batchOf(token)) !== null)
    {
      using cache = new TopCacheFolder(place, k, 1000, (message) => void warnings.push(message))
      for (let token = 0; token < 6; token++) cache.add(batchOf(token), top)
      assert.deepEqual(known(cache), [true, true, true, false, false, false])
    }
    assert.equal(warnings.length, 1)
    assert.match(warnings[0]!, /the disk is full. The run goes on/)
    using again = new TopCacheFolder(place, k, 1000, assert.fail)
    assert.deepEqual(known(again), [true, true, true, false, false, false])
    rmSync(place, { recursive: true })
  },
)

test('an archive that does not fit is neither written nor unpacked in part', { skip }, async () => {
  const run = join(elsewhere, 'run')
  mkdirSync(run, { recursive: true })
  writeFileSync(join(run, 'run.json'), '{}')
  // Random bytes do not shrink.
  const random = new Random(1)
  writeFileSync(
    join(run, 'weights'),
    Uint32Array.from({ length: 100_000 }, () => random.bits()),
  )
  const archive = join(elsewhere, 'a.tar.gz')
  await packRun(run, aManifest, archive, { includeOutput: true }, control)
  await assert.rejects(unpackRun(archive, join(disk, 'unpacked'), control), isFull)
  assert.deepEqual(treeOf(disk), [])
  await assert.rejects(packRun(run, aManifest, join(disk, 'a.tar.gz'), { includeOutput: true }, control), isFull)
  assert.deepEqual(treeOf(disk), [])
})
