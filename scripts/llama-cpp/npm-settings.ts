// What npm is set up with: its registry, and what it signs in there with. npm itself does not tell the latter.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** Settings by their names in .npmrc. */
export type NpmSettings = Readonly<Record<string, string>>
type Environment = Readonly<Record<string, string | undefined>>

export interface Npm {
  /** Address of the registry. */
  registry: string
  settings: NpmSettings
}

/** How npm is set up for a project. Within `npm run` the environment says most of it. */
export function npmOf(project: string, environment: Environment = process.env): Npm {
  const said = (name: string) => environment[`npm_config_${name}`]
  const asked = ['registry', 'userconfig', 'globalconfig'].every(said) ? {} : askNpm(project)
  const files = [
    said('globalconfig') ?? asked['globalconfig'],
    said('userconfig') ?? asked['userconfig'] ?? join(homedir(), '.npmrc'),
    join(project, '.npmrc'),
  ]
  return {
    registry: said('registry') || asked['registry'] || 'https://registry.npmjs.org/',
    settings: settingsIn(files, environment),
  }
}

function askNpm(project: string): Record<string, string> {
  const { stdout, status } = spawnSync('npm', ['config', 'get', 'registry', 'userconfig', 'globalconfig'], {
    cwd: project,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  })
  return status === 0 ? parsed(stdout, {}) : {}
}

/** Settings of files of npm, each over those before it, and of the environment over all of them. */
export function settingsIn(files: readonly (string | undefined)[], environment: Environment): NpmSettings {
  const found: Record<string, string> = {}
  for (const file of files)
    if (file !== undefined && existsSync(file)) Object.assign(found, parsed(readFileSync(file, 'utf8'), environment))
  for (const [name, value] of Object.entries(environment))
    if (value && /^npm_config_\/\//i.test(name)) found[name.slice('npm_config_'.length)] = value
  return found
}

/** Lines `name = value`, of which ${NAME} stands for a variable of the environment. */
function parsed(text: string, environment: Environment): Record<string, string> {
  const lines = text.split(/\r?\n/).flatMap((line) => {
    const [, name, value] = /^\s*([^\s;#[=][^=]*?)\s*=\s*(.*?)\s*$/.exec(line) ?? []
    return name === undefined || value === undefined ? [] : [[filled(bare(name)), filled(bare(value))] as const]
  })
  return Object.fromEntries(lines)

  function filled(part: string): string {
    return part.replaceAll(/\$\{([^}?]+)(\??)\}/g, (whole, variable: string, mayLack: string) => {
      return environment[variable] ?? (mayLack ? '' : whole)
    })
  }
}

const bare = (part: string): string => /^(["'])(.*)\1$/.exec(part)?.[2] ?? part

/**
 * What npm signs in with where an address lies: what is set for its host and port, and for the longest part of its path that
 * anything is set for. Undefined where nothing is.
 */
export function authorizationFor(address: string, settings: NpmSettings): string | undefined {
  const { host, pathname } = new URL(address)
  // npm takes away what follows the last slash and the slash itself in turns.
  for (let place = `//${host}${pathname}`; place.length > 2; place = place.replace(/([^/]+|\/)$/, '')) {
    const of = (name: string) => settings[`${place}:${name}`]
    const [token, basic, user, password] = [of('_authToken'), of('_auth'), of('username'), of('_password')]
    if (token) return `Bearer ${token}`
    if (basic) return `Basic ${basic}`
    // The password is kept in base64, which hides nothing.
    if (user && password)
      return `Basic ${Buffer.from(`${user}:${Buffer.from(password, 'base64').toString()}`).toString('base64')}`
  }
  return undefined
}
