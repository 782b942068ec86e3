import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Command } from 'commander'
import { argumentsOf, type EvaluateJob, evaluateSchema } from '../../../engine/contract/index.ts'
import { evaluationFrom } from '../../../engine/entries/command-line/evaluate-command.ts'
import { collectAssignments } from '../../../engine/entries/command-line/flag-values.ts'
import { optionFor, schemaOptions } from '../../../engine/entries/command-line/options.ts'
import { addPlaceFlags } from '../../../engine/entries/command-line/place-flags.ts'
import { clusterFolderOf, writeSubmissions } from '../../../engine/runners/slurm/cluster-folder.ts'
import { RunFolder } from '../../../engine/runs/run-folder.ts'
import { scratch } from '../data/images/image-files.ts'

/** The evaluation that the command line makes of arguments. */
async function parsed(...args: string[]): Promise<EvaluateJob> {
  const command = new Command().exitOverride().argument('[checkpoint]').option('--resume')
  const own = ['kind', 'checkpoint', 'evaluation', 'parallel', 'cluster']
  for (const option of schemaOptions(evaluateSchema, own)) command.addOption(option)
  command.option('--task <name=file>', '', collectAssignments('task'))
  command.addOption(optionFor(evaluateSchema, 'parallel'))
  addPlaceFlags(command, ['fetchOutputs'])
  command.parse(args, { from: 'user' })
  return await evaluationFrom(command.args[0], command.opts())
}
const plain = ['m', '--task', 'piqa=p', '--out', 'run']

test('an evaluation is done in parts where that is said, and by one process otherwise', async () => {
  const one = await parsed(...plain)
  assert.deepEqual([one.parallel, one.cluster], [undefined, undefined])
  assert.equal((await parsed(...plain, '--parallel', '3')).parallel, 3)
  assert.equal((await parsed(...plain, '--on', 'local')).parallel, 1)
  const { parallel, cluster } = await parsed(...plain, '--on', 'slurm', '--parallel', '3', '--gpus', '1', '--no-watch')
  assert.deepEqual([parallel, cluster!.parallel, cluster!.gpus, cluster!.watch], [undefined, 3, 1, false])
  const far = await parsed(...plain, '--via', 'ssh://me@login', '--remote', '/shared/e', '--secateur', '/shared/s')
  assert.equal(far.cluster!.remote, '/shared/e')
  await assert.rejects(parsed(...plain, '--gpus', '1'), /--gpus: is said to a cluster: add --on slurm/)
  await assert.rejects(parsed(...plain, '--parallel', '0'), /--parallel: is a whole number from 1 to 64/)
  await assert.rejects(parsed(...plain, '--on', 'slurm', '--time', '1'), /--time: must be 5 minutes or more/)
})

test('an evaluation that is resumed goes on where it was done, unless another place is said', async () => {
  const out = join(scratch(), 'run')
  const evaluation = { tasks: { piqa: 'p' } }
  const job = evaluateSchema.parse({ kind: 'evaluate', checkpoint: 'm', out, parallel: 2, evaluation })
  RunFolder.create(out, { ...job, out }).close()
  const resumed = (...more: string[]) => parsed('m', '--task', 'piqa=p', '--out', out, '--resume', ...more)
  assert.equal((await resumed()).parallel, 2)
  assert.equal((await resumed('--parallel', '4')).parallel, 4)
  const { cluster } = await resumed('--on', 'slurm', '--partition', 'gpu', '--no-resubmit')
  mkdirSync(clusterFolderOf(out))
  writeSubmissions(out, { version: 1, cluster: cluster!, submissions: [] })
  const again = await resumed('--memory', '8')
  assert.deepEqual(
    [again.parallel, again.cluster!.partition, again.cluster!.memory, again.cluster!.resubmit],
    [undefined, 'gpu', 8, true],
  )
  assert.deepEqual(
    [(await resumed('--on', 'local')).cluster, (await resumed('--on', 'local')).parallel],
    [undefined, 2],
  )
})

test('an evaluation in parts is the same job as a command line', async () => {
  const cluster = { partition: 'gpu', time: '1-00:00:00', watch: false, parallel: 4, via: 'ssh://me@login' }
  const far = { ...cluster, remote: '/shared/e', secateur: '/shared/s', map: { '/home/me': '/shared/me' } }
  for (const place of [{ parallel: 2 }, { cluster: {} }, { cluster: far }]) {
    const job = evaluateSchema.parse({ kind: 'evaluate', checkpoint: 'm', out: 'o', ...place, evaluation: {} })
    assert.deepEqual(await parsed(...argumentsOf(job)!.slice(1)), job)
  }
})
