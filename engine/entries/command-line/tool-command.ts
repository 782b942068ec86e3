import type { Command } from 'commander'
import type { z } from 'zod'
import { type CommonFlags, stoppable } from './running.ts'
import { schemaOptions, settingsFrom } from './options.ts'
import type { Reporter } from './report.ts'
import type { Outcome } from './result-text.ts'

/** A command's action whose errors are reported; it may return an exit code. */
type Action = <Arguments extends unknown[]>(
  run: (...args: Arguments) => Promise<number | void>,
) => (...values: Arguments) => Promise<void>

/** What commands are added to, and what tells of them. */
export interface Commands {
  program: Command
  action: Action
  reporter: Reporter
}

/** The file or folder that a command is given, by the name of its setting. */
interface Positional {
  name: string
  description: string
}

interface Tool<Schema extends z.ZodObject> {
  description: string
  schema: Schema
  positional?: Positional
  /** Loads the command's code, which no other command needs. */
  run: (settings: z.output<Schema>, signal: AbortSignal) => Promise<Outcome>
}

/** What is given to most commands. */
export const aCheckpoint: Positional = {
  name: 'checkpoint',
  description: 'folder of a Hugging Face checkpoint, or GGUF file',
}

/** Adds a command that answers, and leaves no run: its flags are the settings of its schema. */
export function addTool<Schema extends z.ZodObject>(
  { program, action, reporter }: Commands,
  name: string,
  { description, schema, positional, run }: Tool<Schema>,
): void {
  const command = program.command(name).description(description)
  if (positional) command.argument(`<${positional.name}>`, positional.description)
  command.option('--json', 'one JSON object a line on standard output')
  for (const option of schemaOptions(schema, positional ? [positional.name] : [])) command.addOption(option)
  const answer = async (given: Record<string, string>, flags: CommonFlags) => {
    const settings = settingsFrom(schema, given, flags)
    await stoppable(reporter, async (signal) => reporter.finish(await run(settings, signal)))
  }
  command.action(
    positional
      ? action((value: string, flags: CommonFlags) => answer({ [positional.name]: value }, flags))
      : action((flags: CommonFlags) => answer({}, flags)),
  )
}
