import { type SweepJob, sweepSchema } from '../../contract/index.ts'
import { jobFrom, optionFor, sweepFlags } from './options.ts'
import {
  addPlaceFlags,
  cancelTasks,
  clusterFrom,
  lastClusterOf,
  placedBy,
  type PlaceFlags,
  runOrLeave,
} from './place-flags.ts'
import { estimateFlag, stoppable } from './running.ts'
import type { Commands } from './tool-command.ts'

/** `secateur sweep`, on this computer or on a cluster, and what a node of a cluster runs. */
export function addSweepCommand({ program, action, reporter }: Commands): void {
  const command = program
    .command('sweep')
    .description('runs a pruning for every combination of settings, and reports on all of them')
    .argument('<file>', 'JSON sweep: checkpoint, out, base, values, variants; see docs/experiments.md')
    .option('--json', 'one JSON object an event on standard output')
    .option(...estimateFlag)
    .option('--resume', 'go on with the sweep in the out folder')
  for (const name of sweepFlags) command.addOption(optionFor(sweepSchema, name))
  addPlaceFlags(command)
  command.action(
    action(async (file: string, flags: PlaceFlags) => {
      const job = await sweepFrom(file, flags)
      if (flags.cancel) return await cancelTasks(job.out, job.cluster, reporter)
      return await runOrLeave(job, flags, reporter)
    }),
  )
  program
    .command('sweep-task', { hidden: true })
    .description('does one run of a sweep, or one part of an evaluation, on a node of a cluster')
    .argument('<folder>', 'folder of the whole')
    .argument('<name>', 'name of the run or part')
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
    .description('serves a workstation at the other end of ssh with the sweeps and evaluations of a cluster')
    .action(
      action(async () => {
        const { relayOverPipes } = await import('../process/relay-pipes.ts')
        await relayOverPipes()
      }),
    )
}

/** The sweep that a file and flags describe. @throws SecateurError that names the flag or setting that is wrong */
async function sweepFrom(file: string, flags: PlaceFlags): Promise<SweepJob> {
  const placed = placedBy(flags)
  const from = (settings: object) => jobFrom('sweep', sweepSchema, {}, { ...settings, job: file }) as SweepJob
  const job = from(placed.own)
  const last = flags.resume || flags.cancel ? await lastClusterOf(job.out) : null
  const cluster = clusterFrom(placed, last ?? job.cluster ?? null)
  if (cluster) return { ...job, cluster }
  // Of a cluster it is a limit; what the sweep itself says is for one computer.
  const { parallel } = placed
  return { ...(parallel === undefined ? job : from({ ...placed.own, parallel })), cluster: undefined }
}
