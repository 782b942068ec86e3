import { Command, CommanderError, Option } from 'commander'
import { z } from 'zod'
import { addParts } from './command-line/evaluate-command.ts'
import { exportJobFrom, exportOptions } from './command-line/export-options.ts'
import { collectAssignments } from './command-line/flag-values.ts'
import { jobFrom, schemaOptions } from './command-line/options.ts'
import { addPlanCommand } from './command-line/plan-command.ts'
import { addSweepCommand } from './command-line/sweep-command.ts'
import { aCheckpoint, addTool } from './command-line/tool-command.ts'
import { saidAsFlag } from './command-line/said-as-flag.ts'
import { refuseUnusedType } from './command-line/unused-type.ts'
import { makeReporter } from './command-line/report.ts'
import { type CommonFlags, estimateFlag, runReported } from './command-line/running.ts'
import {
  criterionList,
  type EngineEvent,
  evaluateSchema,
  evaluationSchema,
  exportFormats,
  finetuneSchema,
  importSchema,
  mergeSchema,
  presetsOf,
  presets,
  pruneSchema,
  speedSchema,
  taskList,
} from '../contract/index.ts'
import { exitCodes, SecateurError } from '../shared/errors.ts'
import { benchSchema, generateSchema, keptSchema, measureSchema } from '../jobs/settings.ts'
import { version } from '../shared/version.ts'

/** Flags of every command that is a job. */
const withJobFlags = (command: Command): Command =>
  command
    .option('--job <file>', 'JSON job description; flags go before it')
    .option('--json', 'one JSON object an event on standard output')
    .option(...estimateFlag)

/** Runs the command line; returns the exit code. The code of a command is loaded when it is asked for. */
export async function main(args: readonly string[]): Promise<number> {
  const json = args.includes('--json')
  const reporter = makeReporter({ json })
  const program = new Command('secateur')
    .description('Prunes Hugging Face checkpoints with LoRAPrune, on this computer.')
    .version(version)
    .showHelpAfterError('(use --help for what can be set)')
    .exitOverride()
    .addHelpText(
      'after',
      `
Exit codes: 0 done, 2 a setting is wrong, 3 a file is wrong, 4 does not fit memory or disk,
5 not supported here, 130 stopped (the state is saved), 1 anything else.

A first run:
  secateur inspect models/my-llama
  secateur prune models/my-llama --data text.jsonl --ratio 0.5 --steps 200 --out runs/first
  secateur eval runs/first/output --perplexity wikitext2=wiki.test.raw`,
    )
  const emit = (event: EngineEvent) => reporter.event(event)
  let code = 0
  const action =
    <Arguments extends unknown[]>(run: (...args: Arguments) => Promise<number | void>) =>
    async (...values: Arguments) => {
      try {
        code = (await run(...values)) ?? 0
      } catch (error) {
        code = reporter.fail(saidAsFlag(error, values.at(-1) as Command))
      }
    }

  program
    .command('inspect')
    .argument('<checkpoint>', aCheckpoint.description)
    .option('--json', 'one JSON object a line on standard output')
    .description('says what a checkpoint is and what loads it, from its headers alone')
    .action(
      action(async (checkpoint: string) => {
        const { inspect } = await import('../jobs/inspect.ts')
        reporter.finish(await inspect(checkpoint))
      }),
    )

  const commands = { program, action, reporter }
  addTool(commands, 'import', {
    description: 'writes a GGUF file as the folder of a Hugging Face checkpoint',
    schema: importSchema,
    positional: { name: 'file', description: 'GGUF file, or any part of a split one' },
    run: async (settings, signal) => await (await import('../jobs/import.ts')).importCheckpoint(settings, signal, emit),
  })

  program
    .command('devices')
    .option('--json', 'one JSON object a line on standard output')
    .description('says what can compute on this computer, how fast, and why anything else is not used')
    .action(
      action(async () => {
        const { listEveryDevice } = await import('../jobs/devices.ts')
        reporter.finish(await listEveryDevice(new AbortController().signal))
      }),
    )

  const jobCommand = (name: string, description: string, schema: z.ZodObject, evaluation: boolean) => {
    const command = program.command(name).description(description).argument('[checkpoint]', aCheckpoint.description)
    if (name === 'merge') command.argument('[adapter]', 'PEFT adapter folder')
    withJobFlags(command)
    if (name === 'prune' || name === 'finetune')
      command
        .addOption(
          new Option('--preset <name>', 'settings to start from (see below); flags and the job go before them').choices(
            presetsOf(schema.shape),
          ),
        )
        .addHelpText('after', `\nPresets:\n${presetsHelp(schema.shape)}`)
    if (name !== 'merge') command.option('--resume', 'continue the run in the --out folder')
    for (const option of schemaOptions(schema, [
      'kind',
      'checkpoint',
      'evaluation',
      'parallel',
      'cluster',
      ...(name === 'merge' ? ['adapter'] : []),
    ]))
      command.addOption(option)
    if (evaluation) {
      command.addOption(
        new Option(
          '--task <name=file>',
          `task file to score (repeat): ${taskList.map((task) => task.name).join(', ')}`,
        ).argParser(collectAssignments('task')),
      )
      command.addOption(
        new Option('--perplexity <name=file>', 'text to measure perplexity on (repeat)').argParser(
          collectAssignments('perplexity'),
        ),
      )
      // --rows is a former name of two settings: of a pruning run it is the batch size.
      for (const option of schemaOptions(evaluationSchema, ['tasks', 'perplexity']))
        if (!command.options.some(({ long }) => long === option.long)) command.addOption(option)
      command.addHelpText('after', `\nTasks:\n${tasksHelp}`)
    }
    return command
  }

  jobCommand('finetune', 'trains a LoRA adapter and writes it as a PEFT folder', finetuneSchema, false).action(
    action(async (checkpoint: string | undefined, flags: CommonFlags) =>
      runReported(jobFrom('finetune', finetuneSchema, { checkpoint }, flags), flags, reporter),
    ),
  )
  jobCommand('prune', 'fine-tunes, prunes, merges and writes a smaller checkpoint', pruneSchema, true)
    .addHelpText('after', `\nCriteria:\n${criteriaHelp}`)
    .action(
      action(async (checkpoint: string | undefined, flags: CommonFlags) =>
        runReported(jobFrom('prune', pruneSchema, { checkpoint }, flags), flags, reporter),
      ),
    )
  jobCommand('merge', "adds an adapter to a checkpoint's weights", mergeSchema, false).action(
    action(async (checkpoint: string | undefined, adapter: string | undefined, flags: CommonFlags) =>
      runReported(jobFrom('merge', mergeSchema, { checkpoint, adapter }, flags), flags, reporter),
    ),
  )
  addParts(
    jobCommand('eval', 'scores a checkpoint: zero-shot tasks, perplexity, speed', evaluateSchema, true),
    commands,
  )
  const exporting = program
    .command('export')
    .description(
      'writes a checkpoint in another form: GGUF for llama.cpp, ONNX, or safetensors in another type or in shards',
    )
    .argument('[checkpoint]', aCheckpoint.description)
    .addOption(new Option('--format <name>', 'format of the file').choices(exportFormats))
  withJobFlags(exporting)
  for (const option of exportOptions()) exporting.addOption(option)
  exporting.action(
    action(async (checkpoint: string | undefined, flags: CommonFlags) =>
      runReported(exportJobFrom({ checkpoint }, flags), flags, reporter),
    ),
  )
  addSweepCommand(commands)
  addPlanCommand(commands)
  addTool(commands, 'measure', {
    description: 'measures every layer: how much it changes its input, how linear it is, how far criteria agree',
    schema: measureSchema,
    positional: aCheckpoint,
    run: async (settings, signal) => await (await import('../jobs/measure.ts')).measure(settings, signal, emit),
  })
  addTool(commands, 'generate', {
    description: 'continues a prompt',
    schema: generateSchema,
    positional: aCheckpoint,
    run: async (settings, signal) => {
      refuseUnusedType(settings)
      const { generateText } = await import('../jobs/generate.ts')
      return await generateText(settings, signal, reporter.text, emit)
    },
  })
  addTool(commands, 'speed', {
    description: 'measures how fast a checkpoint runs, alone or beside another: prompts, generation, memory',
    schema: speedSchema,
    positional: aCheckpoint,
    run: async (settings, signal) => {
      refuseUnusedType(settings)
      const { measureSpeeds } = await import('../jobs/speed.ts')
      return await measureSpeeds(settings, { signal, emit })
    },
  })
  addTool(commands, 'kept-files', {
    description: 'lists the files that checkpoints were written as for llama.cpp, or removes them',
    schema: keptSchema,
    run: async (settings) => (await import('../jobs/kept-files.ts')).listKeptFiles(settings),
  })
  addTool(commands, 'bench', {
    description: 'measures products, copies and whole steps of work on Llamas with random weights',
    schema: benchSchema,
    run: async (settings, signal) =>
      await (await import('../jobs/bench.ts')).bench(settings, signal, (text) => reporter.note(text)),
  })

  try {
    await program.parseAsync([...args], { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    // Help and version are no errors; anything else has been said on standard error already.
    if (error.exitCode !== 0) {
      if (json) reporter.fail(new SecateurError('bad-setting', error.message))
      code = exitCodes['bad-setting']
    }
  }
  return code
}

const tasksHelp = taskList.map(({ name, title, asks }) => `  ${name}: ${title}, ${asks}.`).join('\n')
const presetsHelp = (shape: object) =>
  presetsOf(shape)
    .map((name) => `  ${name}: ${presets[name].sentence}`)
    .join('\n')
const criteriaHelp = criterionList
  .map(
    ({ name, sentence, needs, memory }) =>
      `  ${name}: ${sentence} Looks at ${needs}; memory beyond training: ${memory}.`,
  )
  .join('\n')
