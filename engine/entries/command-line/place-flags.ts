import { type Command, Option } from 'commander'
import type { z } from 'zod'
import { type ClusterSettings, clusterSchema, type Job } from '../../contract/index.ts'
import { badSetting, SecateurError } from '../../shared/errors.ts'
import { StopSwitch } from '../process/stop-switch.ts'
import { isOn, schemaOptions, settingsFrom } from './options.ts'
import type { Reporter } from './report.ts'
import { type CommonFlags, runReported } from './running.ts'

/** Flags of commands whose work may be done elsewhere. */
export interface PlaceFlags extends CommonFlags {
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

/** Adds what says where the work of a command is done. @param without settings of a cluster that mean nothing to it */
export function addPlaceFlags(command: Command, without: readonly (typeof clusterFlags)[number][] = []): void {
  command
    .addOption(
      new Option(
        '--on <where>',
        'where the work is done: this computer, or a cluster with Slurm (docs/clusters.md)',
      ).choices(['local', 'slurm']),
    )
    .option('--cancel', 'end what waits or runs on the cluster')
  for (const option of schemaOptions(clusterSchema, ['scheduler', 'parallel', ...without])) command.addOption(option)
}

/** What flags say, taken apart. */
export interface Placed {
  /** Where the work is done; undefined where flags do not say. */
  on: 'local' | 'slurm' | undefined
  /** Flags of the work itself, `parallel` left out. */
  own: Record<string, unknown>
  /** Settings of the cluster that flags say. */
  cluster: Record<string, unknown>
  parallel: number | undefined
}

export function placedBy(flags: PlaceFlags): Placed {
  const { on, cancel: _, parallel, ...rest } = flags
  const given = Object.entries(rest)
  return {
    on: on ?? (flags['via'] === undefined ? undefined : 'slurm'),
    own: Object.fromEntries(given.filter(([name]) => !isForCluster(name))),
    cluster: Object.fromEntries(
      // Switches that are on unless they are turned off stand among the flags in any case.
      given.filter(
        ([name, value]) =>
          isForCluster(name) && !(value === true && isOn((clusterSchema.shape as Record<string, z.ZodType>)[name]!)),
      ),
    ),
    parallel,
  }
}

/**
 * The cluster that work is done on; undefined for this computer.
 *
 * @param other cluster that the work goes on with, or that its file names
 * @throws SecateurError that names the flag that is wrong
 */
export function clusterFrom(
  { on, cluster, parallel }: Placed,
  other: ClusterSettings | null,
): ClusterSettings | undefined {
  const onOther = on === 'local' ? null : other
  if (on !== 'slurm' && !onOther) {
    const [flag] = Object.keys(cluster)
    if (flag !== undefined) throw badSetting(`--${flag}`, 'is said to a cluster: add --on slurm')
    return undefined
  }
  return settingsFrom(clusterSchema, {}, { ...onOther, ...cluster, ...(parallel === undefined ? {} : { parallel }) })
}

/** The cluster that the work in a folder goes on with; null where there is none. */
export async function lastClusterOf(folder: string): Promise<ClusterSettings | null> {
  const { clusterOf } = await import('../../runners/slurm/cluster-folder.ts')
  const last = clusterOf(folder)
  return last && { ...last, resubmit: true, watch: true }
}

/** Work that is not to be watched has been handed over, which is no failure. @returns the exit code */
export async function runOrLeave(
  job: Job & { cluster?: ClusterSettings | undefined },
  flags: CommonFlags,
  reporter: Reporter,
): Promise<number> {
  try {
    return await runReported(job, flags, reporter)
  } catch (error) {
    const isLeft = job.cluster?.watch === false && error instanceof SecateurError && error.kind === 'interrupted'
    if (!isLeft) throw error
    reporter.note(error.message)
    return 0
  }
}

/** Ends what waits or runs of the work in a folder. @param given cluster of work of which nothing is known here */
export async function cancelTasks(
  folder: string,
  given: ClusterSettings | undefined,
  reporter: Reporter,
): Promise<void> {
  const { endTasks } = await import('../../runners/wherever.ts')
  using stop = new StopSwitch()
  const { signal } = stop
  reporter.note(await endTasks(folder, (text) => reporter.note(text), { given, signal }))
}
