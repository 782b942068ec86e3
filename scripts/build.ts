// Builds what the app runs from into out/: the renderer, Electron's main and preload scripts, and the engine's entries.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build, type InlineConfig, type Plugin } from 'vite'
import { globSync } from './glob.mjs'

const root = join(import.meta.dirname, '..')
const out = join(root, 'out')

interface Part {
  /** Folders and files that it is made of, from the root. */
  from: string[]
  config: InlineConfig
}

/** Sources that more than one part is made of. */
const contracts = ['electron/contract', 'engine/contract']

/** Where a file names another by its place: a worker, or a process of its own. Its folder stays, its name becomes `.js`. */
const placesOfFiles: Plugin = {
  name: 'places-of-files',
  renderChunk: (code) =>
    code.replaceAll(/(new URL\(|import\.meta\.dirname, )(["']\.{1,2}\/[\w/-]+)\.ts(["'])/g, '$1$2.js$3'),
}

/**
 * A build for Node, whose files stay where they are below `keep` or else become one an entry. Packages are bundled, but for
 * those that `external` says are to be found beside the build.
 */
function forNode(
  name: string,
  input: Record<string, string>,
  { external, format = 'es', keep }: { external: (RegExp | string)[]; format?: 'es' | 'cjs'; keep?: string },
): InlineConfig {
  return {
    configFile: false,
    logLevel: 'warn',
    root,
    publicDir: false,
    plugins: [placesOfFiles],
    ssr: { noExternal: true, external: external.filter((entry) => typeof entry === 'string') },
    build: {
      ssr: true,
      target: 'node24',
      outDir: join(out, name),
      emptyOutDir: true,
      minify: false,
      rolldownOptions: {
        input: Object.fromEntries(Object.entries(input).map(([entry, file]) => [entry, join(root, file)])),
        external,
        output: {
          format,
          entryFileNames: format === 'cjs' ? '[name].cjs' : '[name].js',
          ...(keep && { preserveModules: true, preserveModulesRoot: join(root, keep) }),
        },
      },
    },
  }
}

export const parts = {
  renderer: {
    from: ['renderer', ...contracts],
    config: { logLevel: 'warn', configFile: join(root, 'renderer/vite.config.ts') },
  },
  main: {
    from: ['electron', ...contracts],
    config: forNode('main', { main: 'electron/main.ts' }, { external: ['electron', 'better-sqlite3'] }),
  },
  preload: {
    from: ['electron/preload.ts'],
    config: forNode('preload', { preload: 'electron/preload.ts' }, { external: ['electron'], format: 'cjs' }),
  },
  engine: {
    from: ['engine'],
    config: forNode(
      'engine',
      {
        'entries/run': 'engine/entries/run.ts',
        'entries/service': 'engine/entries/service.ts',
        'backends/onnx/rows/crew-worker': 'engine/backends/onnx/rows/crew-worker.ts',
        'data/parquet-worker': 'engine/data/parquet-worker.ts',
        'data/images/batch-worker': 'engine/data/images/batch-worker.ts',
        'data/images/decode-worker': 'engine/data/images/decode-worker.ts',
        'export/quantise/encode-worker': 'engine/export/quantise/encode-worker.ts',
        'llama-cpp/model-process': 'engine/llama-cpp/model-process.ts',
        'llama-cpp/probe-process': 'engine/llama-cpp/probe-process.ts',
      },
      { external: [/^[^./]/], keep: 'engine' },
    ),
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

if (import.meta.main) {
  const named = process.argv.slice(2).filter((name): name is PartName => Object.hasOwn(parts, name))
  await buildChanged(named.length > 0 ? named : undefined)
}
