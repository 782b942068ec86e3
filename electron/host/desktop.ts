import { execFile, spawn } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Whether something can be shown to somebody who sits at this machine. */
export function hasDisplay(
  env: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): boolean {
  return platform === 'linux' ? Boolean(env['DISPLAY'] || env['WAYLAND_DISPLAY']) : true
}

/** Opens an address or folder with the program that the system has for it. Rejects where there is none. */
export async function openWithSystem(target: string): Promise<void> {
  const [command, ...args] = {
    darwin: ['open', target],
    win32: ['rundll32', 'url.dll,FileProtocolHandler', target],
  }[process.platform as string] ?? ['xdg-open', target]
  const child = spawn(command!, args, { stdio: 'ignore', detached: true })
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', reject)
  })
  child.on('error', () => {})
  child.unref()
}

/** Moves a file or folder to the system's trash with the system's own program, so that its file manager can restore it. */
export async function trashWithSystem(path: string): Promise<void> {
  try {
    if (process.platform === 'darwin') await run('/usr/bin/trash', [path])
    else if (process.platform === 'win32')
      await run('powershell', ['-NoProfile', '-Command', recycle], { env: { ...process.env, SECATEUR_TRASH: path } })
    else await run('gio', ['trash', '--', path])
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : String(error)
    throw new Error(missing ? 'no program that could do it was found (on Linux it is "gio")' : said, { cause: error })
  }
}

const recycle = `
$ErrorActionPreference = 'Stop'
Add-Type -AssemblyName Microsoft.VisualBasic
$path = $env:SECATEUR_TRASH
if (Test-Path -LiteralPath $path -PathType Container) {
  [Microsoft.VisualBasic.FileIO.FileSystem]::DeleteDirectory($path, 'OnlyErrorDialogs', 'SendToRecycleBin')
} else {
  [Microsoft.VisualBasic.FileIO.FileSystem]::DeleteFile($path, 'OnlyErrorDialogs', 'SendToRecycleBin')
}`

/** Shows a notification where the desktop has a program for it; elsewhere the page's own is all there is. */
export function notifyWithSystem(title: string, body: string): void {
  if (process.platform === 'linux' && hasDisplay()) quietly('notify-send', ['--app-name=Secateur', '--', title, body])
  if (process.platform === 'darwin')
    quietly('osascript', [
      '-e',
      `on run argv\ndisplay notification (item 2 of argv) with title (item 1 of argv)\nend run`,
      title,
      body,
    ])
}

function quietly(command: string, args: string[]): void {
  spawn(command, args, { stdio: 'ignore' }).on('error', () => {})
}

/** Starts what keeps the computer awake until the returned function is called. Null where there is no program for it. */
export function startKeepingAwake(): (() => void) | null {
  const command: Partial<Record<NodeJS.Platform, string[]>> = {
    linux: [
      'systemd-inhibit',
      '--what=sleep:idle',
      '--who=Secateur',
      '--why=A run is active',
      'tail',
      `--pid=${process.pid}`,
      '-f',
      '/dev/null',
    ],
    darwin: ['caffeinate', '-i', '-w', String(process.pid)],
  }
  const [program, ...args] = command[process.platform] ?? []
  if (!program) return null
  const child = spawn(program, args, { stdio: 'ignore' })
  child.on('error', () => {})
  return () => void child.kill()
}
