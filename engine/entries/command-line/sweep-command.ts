import { Option } from 'commander'
import type { z } from 'zod'
import { type ClusterSettings, clusterSchema, type SweepJob, sweepSchema } from '../../contract/index.ts'
import { badSetting, SecateurError } from '../../shared/errors.ts'
import { isOn, jobFrom, optionFor, schemaOptions, settingsFrom } from './options.ts'
import { StopSwitch } from '../process/stop-switch.ts'
import { type CommonFlags, estimateFlag, runReported, stoppable } from './running.ts'
import type { Commands } from './tool-command.ts'

interface SweepFlags extends CommonFlags {
  on?: 'local' | 'slurm'
  cancel?: boolean
  parallel?: number
  [setting: string]: unknown
}

/** Settings of a cluster that are flags of their own. */
const clusterFlags = [
  'partition',
  'account',
  'gpus',
  'cpus',
  'memory',
  'time',
  'setup',
  'secateur',
  'resubmit',
  'watch',
  'via',
  'remote',
  'map',
  'fetchOutputs',
] as const

const isForCluster = (name: string) => (clusterFlags as readonly string[]).includes(name)

/** `secateur sweep`, on this computer or on a cluster, and what a node of a cluster runs. */
export function addSweepCommand({ program, action, reporter }: Commands): void {
  const command = program
    .command('sweep')
    .description('runs a pruning for every combination of settings, and reports on all of them')
    .argument('<file>', 'JSON sweep: checkpoint, out, base, values, variants; see docs/experiments.md')
    .option('--json', 'one JSON object an event on standard output')
    .option(...estimateFlag)
    .option('--resume', 'go on with the sweep in the out folder')
    .addOption(optionFor(sweepSchema, 'preset'))
    .addOption(optionFor(sweepSchema, 'out'))
    .addOption(optionFor(sweepSchema, 'parallel'))
    .addOption(
      new Option(
        '--on <where>',
        'where the runs are done: this computer, or a cluster with Slurm (docs/clusters.md)',
      ).choices(['local', 'slurm']),
    )
    .option('--cancel', 'end what waits or runs of the sweep on its cluster')
  for (const option of schemaOptions(clusterSchema, ['scheduler', 'parallel'])) command.addOption(option)
  command.action(
    action(async (file: string, flags: SweepFlags) => {
      const job = await sweepFrom(file, flags)
      if (flags.cancel) return await cancel(job)
      await runOrLeave(job, flags)
    }),
  )
  program
    .command('sweep-task', { hidden: true })
    .description('does one run of a sweep, on a node of a cluster')
    .argument('<folder>', 'folder of the sweep')
    .argument('<name>', 'name of the run')
    .action(
      action(async (folder: string, name: string) => {
        const { sweepTask } = await import('../../jobs/sweep-task.ts')
        await stoppable(reporter, async (signal) => {
          const emit = reporter.event.bind(reporter)
          reporter.finish(await sweepTask({ folder, name }, { emit, signal }))
        })
      }),
    )

  program
    .command('sweep-relay', { hidden: true })
    .description('serves a workstation at the other end of ssh with the sweeps of a cluster')
    .action(
      action(async () => {
        const { relayOverPipes } = await import('../process/relay-pipes.ts')
        await relayOverPipes()
      }),
    )

  /** A sweep that is not to be watched has been handed over, which is no failure. */
  async function runOrLeave(job: SweepJob, flags: CommonFlags): Promise<void> {
    try {
      await runReported(job, flags, reporter)
    } catch (error) {
      const isLeft = job.cluster?.watch === false && error instanceof SecateurError && error.kind === 'interrupted'
      if (!isLeft) throw error
      reporter.note(error.message)
    }
  }

  async function cancel({ out, cluster }: SweepJob): Promise<void> {
    const { endSweep } = await import('../../sweeps/runners/wherever.ts')
    using stop = new StopSwitch()
    const { signal } = stop
    reporter.note(await endSweep(out, (text) => reporter.note(text), { given: cluster, signal }))
  }
}

/** The sweep that a file and flags describe. @throws SecateurError that names the flag or setting that is wrong */
async function sweepFrom(file: string, flags: SweepFlags): Promise<SweepJob> {
  const on = flags.on ?? (flags['via'] === undefined ? undefined : 'slurm')
  const given = Object.entries(flags)
  const own = Object.fromEntries(given.filter(([name]) => !isForCluster(name) && name !== 'on' && name !== 'cancel'))
  const onCluster = Object.fromEntries(
    // Switches that are on unless they are turned off stand among the flags in any case.
    given.filter(
      ([name, value]) =>
        isForCluster(name) && !(value === true && isOn((clusterSchema.shape as Record<string, z.ZodType>)[name]!)),
    ),
  )
  const from = (settings: object) => jobFrom('sweep', sweepSchema, {}, { ...settings, job: file }) as SweepJob
  const { parallel, ...rest } = own
  const onOther = on === 'local' ? null : await clusterOfJob(from(rest), flags)
  if (on !== 'slurm' && !onOther) {
    const [flag] = Object.keys(onCluster)
    if (flag !== undefined) throw badSetting(`--${flag}`, 'is said to a cluster: add --on slurm')
    return { ...from(own), cluster: undefined }
  }
  // Of a cluster it is a limit; what the sweep itself says is for one computer.
  const settings = { ...onOther, ...onCluster, ...(parallel === undefined ? {} : { parallel }) }
  return { ...from(rest), cluster: settingsFrom(clusterSchema, {}, settings) }
}

/** The cluster that a sweep goes on with, or that its file names. */
async function clusterOfJob(job: SweepJob, { resume, cancel }: SweepFlags): Promise<ClusterSettings | null> {
  if (!resume && !cancel) return job.cluster ?? null
  const { clusterOf } = await import('../../sweeps/runners/slurm/cluster-folder.ts')
  const last = clusterOf(job.out)
  return last ? { ...last, resubmit: true, watch: true } : (job.cluster ?? null)
}
