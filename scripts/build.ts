// Builds what the app runs from into out/: the renderer, Electron's main and preload scripts, and the engine's entries.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build, type InlineConfig } from 'vite'
import { globSync } from './glob.mjs'

const root = join(import.meta.dirname, '..')
const out = join(root, 'out')

interface Part {
  /** Folders and files that it is made of, from the root. */
  from: string[]
  config: InlineConfig
}

const quiet: InlineConfig = { logLevel: 'warn', configFile: false }

export const parts = {
  renderer: {
    from: ['renderer', 'electron/contract.ts', 'electron/contract', 'engine/contract.ts', 'engine/contract'],
    config: { ...quiet, configFile: join(root, 'renderer/vite.config.ts') },
  },
} satisfies Record<string, Part>
export type PartName = keyof typeof parts

/** Builds the parts that changed since they were last built. */
export async function buildChanged(names: readonly PartName[] = Object.keys(parts) as PartName[]): Promise<void> {
  for (const name of names) {
    const stamp = join(out, `.${name}-built-from`)
    const source = digest(parts[name])
    if (existsSync(stamp) && readFileSync(stamp, 'utf8') === source) continue
    console.error(`secateur: building ${name}`)
    await build(parts[name].config)
    writeFileSync(stamp, source)
  }
}

function digest({ from }: Part): string {
  const hash = createHash('sha256')
  const named = [...from, 'scripts/build.ts', 'package.json', 'package-lock.json'].map((name) => join(root, name))
  for (const file of named.flatMap((name) => (statSync(name).isFile() ? [name] : globSync(name, /./)))) {
    hash.update(`${file}\0`).update(readFileSync(file)).update('\0')
  }
  return hash.digest('hex')
}

if (import.meta.main) await buildChanged()
