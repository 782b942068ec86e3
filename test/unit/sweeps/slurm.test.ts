import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { after, test } from 'node:test'
import {
  clusterSchema,
  type Job,
  jobSchema,
  type PruneJob,
  pruneSchema,
  sweepSchema,
} from '../../../engine/contract/index.ts'
import type { RunnerTask } from '../../../engine/runners/runner.ts'
import { RunFolder } from '../../../engine/runs/run-folder.ts'
import { readJson } from '../../../engine/shared/files.ts'
import { readSweep } from '../../../engine/sweeps/read-sweep.ts'
import { jobFileOf, keepFailure, keepQueue } from '../../../engine/runners/slurm/cluster-folder.ts'
import { endText } from '../../../engine/runners/slurm/failure.ts'
import { clusterHere } from '../../../engine/runners/slurm/here.ts'
import { parseAccounting, parseJob, parseQueue } from '../../../engine/runners/slurm/queue.ts'
import { batchScript } from '../../../engine/runners/slurm/script.ts'
import { sbatchOptions, submit } from '../../../engine/runners/slurm/submit.ts'
import { queueText } from '../../../engine/runners/slurm/watch.ts'

const folder = mkdtempSync(join(tmpdir(), 'secateur-slurm-unit-'))
after(() => rmSync(folder, { recursive: true, force: true }))

test('a queue is read line by line, whatever its reasons hold', () => {
  const queue = parseQueue('17_0|RUNNING|n1|1:02:03|None\n17_1|PENDING||0:00|Nodes required | reserved\n\nslurm: odd\n')
  assert.deepEqual(queue, [
    { id: '17_0', state: 'RUNNING', node: 'n1', time: '1:02:03', reason: 'None' },
    { id: '17_1', state: 'PENDING', node: '', time: '0:00', reason: 'Nodes required | reserved' },
  ])
  const held = { id: '17_2', state: 'PENDING', node: '', time: '0:00', reason: 'launch failed requeued held' }
  assert.equal(
    queueText([...queue, held]),
    '1 running, 1 waiting (Nodes required | reserved), ' +
      '1 held (launch failed requeued held; scontrol release 17_2 frees it, --cancel ends it)',
  )
})

const endOf = (fields: string) => endText('17_3', parseJob(`JobId=20 ArrayJobId=17 ${fields} NodeList=n4 BatchHost=n4`))

test('how a task ended is said in words', () => {
  assert.match(endOf('JobState=NODE_FAIL ExitCode=0:0'), /^task 17_3 on n4: its node failed/)
  assert.match(endOf('JobState=FAILED ExitCode=0:9'), /it was killed \(SIGKILL\)/)
  assert.match(endOf('JobState=FAILED ExitCode=137:0'), /it was killed \(SIGKILL\)/)
  assert.match(endOf('JobState=FAILED ExitCode=76:0'), /no step within its time limit: ask for more time \(--time\)/)
  assert.match(endOf('JobState=OUT_OF_MEMORY ExitCode=0:125'), /ask for more \(--memory\)/)
  assert.match(endOf('JobState=WEIRD ExitCode=0:0'), /the scheduler says WEIRD/)
  assert.match(endText('17_3', null), /does not know how it ended/)
  assert.deepEqual(parseAccounting('NODE_FAIL|0:0|n1\nCANCELLED by 1000|0:15|n2\n'), {
    state: 'CANCELLED',
    code: 143,
    node: 'n2',
  })
  assert.equal(parseAccounting(''), null)
})

const options = (given: object, others: readonly string[] = []) =>
  sbatchOptions('/shared/50% of all', 120, 'secateur-1', clusterSchema.parse(given), others)

test('what is asked of sbatch follows from the settings of a cluster', () => {
  const plain = options({})
  assert.ok(plain.includes('--array=0-119'))
  for (const option of ['--parsable', '--requeue', '--signal=B:USR1@120', '--cpus-per-task=4'])
    assert.ok(plain.includes(option))
  assert.ok(plain.includes('--output=/shared/50%% of all/cluster/logs/%A_%a.log'))
  const all = options({ partition: 'gpu', account: 'lab', gpus: 2, cpus: 8, memory: 0.5, time: '1-12', parallel: 6 })
  const wanted = ['--partition=gpu', '--account=lab', '--gres=gpu:2', '--cpus-per-task=8', '--mem=512M', '--time=1-12']
  for (const option of [...wanted, '--array=0-119%6']) assert.ok(all.includes(option), option)
  assert.ok(!plain.some((option) => option.startsWith('--dependency')))
  assert.ok(options({}, ['17', '18']).includes('--dependency=afterany:17:18'))
})

const isTaken = (time: string) => clusterSchema.safeParse({ time }).success

test('times that Slurm does not know or that leave no time to save the state are refused', () => {
  for (const time of ['5', '90', '10:30', '0:05:00', '12:00:00', '1-0', '2-12:30', '1-00:00:30'])
    assert.ok(isTaken(time), time)
  for (const time of ['4', '4:59', '0:04:59', '0-0:4', 'soon', '1-', '1:2:3:4', '']) assert.ok(!isTaken(time), time)
  assert.ok(!clusterSchema.safeParse({ partition: 'gpu; rm -rf' }).success)
})

test('a run that failed on a cluster is told of, also where nobody watched', () => {
  const out = join(folder, 'sweep')
  const base = { data: ['text.txt'] }
  const job = sweepSchema.parse({ kind: 'sweep', checkpoint: 'model', out, base, values: { seed: [1, 2] } })
  RunFolder.create(out, job).close()
  keepFailure(out, '2-2', { kind: 'bad-file', message: 'text.txt: there is no such file' })
  assert.deepEqual(
    readSweep({ path: out }).runs.map(({ name, state, message }) => ({ name, state, message })),
    [
      { name: '1-1', state: 'queued', message: null },
      { name: '2-2', state: 'failed', message: 'text.txt: there is no such file' },
    ],
  )
  const task = { id: '17_0', state: 'RUNNING', node: 'n1', time: '0:03', reason: 'None' }
  keepQueue(out, { answered: '2026-11-28T10:00:00Z', problem: 'squeue: no answer', tasks: { '1-1': task } })
  const { runs, scheduler } = readSweep({ path: out })
  assert.deepEqual([runs[0]?.state, runs[0]?.task?.node, runs[1]?.task], ['running', 'n1', null])
  assert.equal(scheduler?.problem, 'squeue: no answer')
  keepQueue(out, { answered: '2026-11-28T10:00:00Z', problem: null, tasks: { '1-1': task } })
  const left = readSweep({ path: out })
  assert.deepEqual(
    [left.runs[0]?.state, left.scheduler],
    ['queued', null],
    'what nobody asks for any more says nothing',
  )
})

/** A batch script with a program in place of Node, run as a task without a scheduler. */
function runScript(program: string, { sweep = folder, setup }: { sweep?: string; setup?: string } = {}) {
  const node = join(folder, 'node')
  writeFileSync(node, `#!/bin/bash\n${program}\n`)
  chmodSync(node, 0o755)
  const script = join(folder, 'array.sh')
  const text = batchScript({
    folder: sweep,
    names: ['1-a', '2-b'],
    folders: [join(sweep, '1-a'), join(sweep, '2-b')],
    setup,
    secateur: undefined,
  })
  writeFileSync(script, text.replaceAll(`'${process.execPath}'`, `'${node}'`))
  const env = { ...process.env, SLURM_ARRAY_JOB_ID: '17', SLURM_ARRAY_TASK_ID: '1' }
  try {
    return { code: 0, text: execFileSync('bash', [script], { env, encoding: 'utf8', stdio: 'pipe' }) }
  } catch (error) {
    const { status, stdout } = error as { status: number; stdout: string }
    return { code: status, text: stdout }
  }
}

const isWindows = process.platform === 'win32' && 'a node has bash'
test('a batch script hands a task its sweep and name, whatever the folder is called', { skip: isWindows }, () => {
  const sweep = `/shared/it's "50%" $HOME \`x\``
  const { code, text } = runScript('printf "<%s>" "${@:2}"', { sweep })
  assert.equal(code, 0)
  assert.match(text, /secateur: 2-b is task 17_1 on /)
  assert.ok(text.includes(`<sweep-task><${sweep}><2-b>`), text)
})

test('a batch script ends as its task does, and says when its setup file fails', { skip: isWindows }, () => {
  assert.equal(runScript('exit 4').code, 4)
  assert.equal(runScript('kill -9 $$').code, 137)
  const setup = join(folder, 'setup.sh')
  writeFileSync(setup, 'launch=(env IN_CONTAINER=yes)\n')
  assert.match(runScript('echo "in container: $IN_CONTAINER"', { setup }).text, /in container: yes/)
  writeFileSync(setup, 'false\n')
  const failed = runScript('echo ran', { setup })
  assert.equal(failed.code, 77)
  assert.match(failed.text, /the setup file .*setup\.sh failed/)
})

test('a run that its time stopped is sent again only where it got on', { skip: isWindows }, () => {
  const scontrol = `PATH=${folder}:$PATH`
  writeFileSync(join(folder, 'scontrol'), '#!/bin/bash\necho "scontrol $*"\n')
  chmodSync(join(folder, 'scontrol'), 0o755)
  const setup = join(folder, 'path.sh')
  writeFileSync(setup, `${scontrol}\n`)
  const stopped = (work: string) =>
    runScript(`trap '${work} exit 130' TERM; kill -USR1 $PPID; while :; do sleep 0.05; done`, { setup })
  const idle = stopped('')
  assert.equal(idle.code, 76)
  assert.match(idle.text, /USR1 came for 2-b[^]*did no step within its time limit/)
  const busy = stopped(`mkdir -p ${folder}/2-b; echo {} >> ${folder}/2-b/metrics.jsonl;`)
  assert.equal(busy.code, 130)
  assert.match(busy.text, /scontrol requeue 17_1/)
  // The dense model may write rows for longer than a time limit before the first step.
  const writes = stopped(`echo {} >> ${folder}/2-b/self-data.jsonl;`)
  assert.equal(writes.code, 130, writes.text)
})

test(
  'a task takes the processors that it is given, unless it says or has had others',
  { skip: isWindows },
  async () => {
    const programs = mkdtempSync(join(folder, 'programs-'))
    for (const [name, says] of [
      ['sbatch', '17'],
      ['scontrol', 'MaxArraySize = 1001'],
    ] as const)
      writeFileSync(join(programs, name), `#!/bin/sh\necho "${says}"\n`, { mode: 0o755 })
    const whole = join(folder, 'threads')
    const task = (name: string, threads?: number): RunnerTask => {
      const out = join(whole, 'runs', name)
      return {
        name,
        job: pruneSchema.parse({ kind: 'prune', checkpoint: 'model', data: ['text.txt'], out, threads }),
      }
    }
    /** A run that an earlier attempt began, here or on the cluster. */
    const begun = (name: string, threads?: number) => {
      const { job } = task(name, threads)
      RunFolder.create(job.out, job as Job & { out: string }).close()
      return task(name)
    }
    const tasks = [task('new'), task('says', 3), begun('without'), begun('with', 2)]
    const { PATH } = process.env
    process.env['PATH'] = `${programs}:${PATH}`
    try {
      const known = { version: 1 as const, cluster: clusterSchema.parse({ cpus: 8 }), submissions: [] }
      assert.deepEqual(await submit(whole, tasks, known, []), ['17'])
    } finally {
      process.env['PATH'] = PATH
    }
    const threadsOf = ({ job }: RunnerTask) => readJson(jobFileOf(whole, basename(job.out)), jobSchema)
    const threads = tasks.map((each) => (threadsOf(each) as PruneJob).threads)
    assert.deepEqual(threads, [8, 3, undefined, 2])
  },
)

test('a computer without Slurm says so, and what to do', async () => {
  const { PATH } = process.env
  try {
    process.env['PATH'] = folder
    const report = await clusterHere()
    assert.equal(report.version, null)
    assert.match(report.message!, /there is no sbatch on this computer.*login node/)
  } finally {
    process.env['PATH'] = PATH
  }
})
