import type { Command } from 'commander'
import { flagName } from '../../shared/flag-name.ts'
import { SecateurError, SeveralErrors } from '../../shared/errors.ts'

/** Settings that are given one at a time, by the flag that gives them. */
export const flagsOfLists: ReadonlyMap<string, string> = new Map([
  ['tasks', 'task'],
  ['budgets', 'budget'],
])

/** The flag that gives a setting. */
export const flagOf = (setting: string): string => `--${flagName(flagsOfLists.get(setting) ?? setting)}`

/**
 * An error about a setting, as the command's flag where it has one: a job names its settings, and a person typed flags. Every
 * other error stays as it is.
 */
export function saidAsFlag(error: unknown, command: Command): unknown {
  if (error instanceof SeveralErrors) {
    const [first, ...others] = error.errors.map((each) => saidAsFlag(each, command) as SecateurError)
    return new SeveralErrors([first!, ...others])
  }
  if (!(error instanceof SecateurError) || error.kind !== 'bad-setting') return error
  const { field, file, message } = error
  const setting = field?.replace(/^evaluation\./, '')
  if (field === undefined || setting === undefined || file !== undefined) return error
  const argument = command.registeredArguments.find((known) => known.name() === setting)
  const flag = argument ? `<${setting}>` : flagOf(setting)
  if (!argument && !command.options.some(({ long }) => long === flag || long === flag.replace('--', '--no-')))
    return error
  return new SecateurError('bad-setting', message.slice(`${field}: `.length), { field: flag, cause: error })
}
