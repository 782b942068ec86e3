import { Option } from 'commander'
import { planSchema } from '../../contract/index.ts'
import { badSetting } from '../../shared/errors.ts'
import { refuseExistingFile, writeJson } from '../../shared/files.ts'
import { schemaOptions, settingsFrom } from './options.ts'
import { stoppable } from './running.ts'
import type { Commands } from './tool-command.ts'

interface PlanFlags {
  budget?: string[]
  out?: string
}

/** `secateur plan`: what budgets would leave, by the scores of a run. */
export function addPlanCommand({ program, action, reporter }: Commands): void {
  const command = program
    .command('plan')
    .description('says what budgets would leave, by the scores that a pruning run has kept; nothing is computed again')
    .argument('<run>', 'run folder of a pruning')
    .addOption(
      new Option(
        '--budget <text>',
        'what may be kept at most, as in prune; several are laid beside each other (repeat)',
      )
        .argParser((text: string, before: string[] | undefined) => [...(before ?? []), text])
        .makeOptionMandatory(),
    )
    .option('--out <file>', 'JSON job that prunes to the budget: secateur prune --job FILE --out FOLDER')
    .option('--json', 'one JSON object a line on standard output')
  for (const option of schemaOptions(planSchema, ['run', 'budgets'])) command.addOption(option)
  command.action(
    action(async (run: string, { budget, out, ...flags }: PlanFlags) => {
      const settings = settingsFrom(planSchema, { run }, { ...flags, budgets: budget })
      if (out !== undefined && settings.budgets.length > 1)
        throw badSetting('--out', `a job prunes to one budget, and ${settings.budgets.length} are given`)
      const { jobOfPlan, planBudgets } = await import('../../runs/plan.ts')
      const { readRunFile } = await import('../../runs/run-files.ts')
      const progress = (done: number, total: number) =>
        reporter.event({ type: 'progress', stage: 'measuring speed', done, total })
      await stoppable(reporter, async (signal) => {
        const plan = await planBudgets(settings, { signal, progress })
        if (out !== undefined) {
          const { job } = readRunFile(run)
          refuseExistingFile(out)
          if (job.kind === 'prune') writeJson(out, jobOfPlan(job, settings.budgets[0]!, settings))
        }
        reporter.finish(plan)
        if (out !== undefined) reporter.note(`${out} prunes to it: secateur prune --job ${out} --out FOLDER`)
      })
    }),
  )
}
