import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { z } from 'zod'

/** Folders of node-llama-cpp's packages for a processor (on a Mac with Metal), by the platforms that Node 24 is pinned for. */
const builds: Partial<Record<string, string>> = {
  'linux-x64': 'linux-x64',
  'linux-arm64': 'linux-arm64',
  'darwin-x64': 'mac-x64',
  'darwin-arm64': 'mac-arm64-metal',
  'win32-x64': 'win-x64',
}

/** llama.cpp as it is installed: the platform's package of node-llama-cpp, without that library itself. */
export interface LlamaCpp {
  /** Its library for Node. */
  addon: string
  /** What it is a version of: the release of llama.cpp as the package names it, or the package where it names none. */
  version: string
}

const metadata = z.looseObject({ buildOptions: z.looseObject({ llamaCpp: z.looseObject({ release: z.string() }) }) })

/** What is installed, or in words why nothing is. */
export function findLlamaCpp(platform = `${process.platform}-${process.arch}`): LlamaCpp | { missing: string } {
  const build = builds[platform]
  if (build === undefined) return { missing: `there is no llama.cpp for ${platform.replace('-', ' on ')}` }
  let entry
  try {
    entry = createRequire(import.meta.url).resolve(`@node-llama-cpp/${build}`)
  } catch {
    return { missing: `the optional package @node-llama-cpp/${build} is not installed` }
  }
  const folder = join(dirname(dirname(entry)), 'bins', build)
  const addon = join(folder, 'llama-addon.node')
  if (!existsSync(addon)) return { missing: `the package @node-llama-cpp/${build} holds no llama-addon.node` }
  const built = metadata.safeParse(JSON.parse(readFileSync(join(folder, '_nlcBuildMetadata.json'), 'utf8')))
  return { addon, version: built.success ? built.data.buildOptions.llamaCpp.release : `of @node-llama-cpp/${build}` }
}

/** What is written about it: its version, and the commit that its library says that it was built from. */
export function nameOf({ addon, version }: LlamaCpp): string {
  const commit = commitOf(dirname(addon))
  return `llama.cpp ${version}${commit === null ? '' : `, commit ${commit}`}`
}

/**
 * The commit of llama.cpp that stands beside ggml's version among the texts of its base library. Nothing that the addon
 * offers tells it, and the build number of these packages is 1.
 *
 * @returns null where the library is another one, or has more than one such text
 */
export function commitOf(folder: string): string | null {
  const names = ['libggml-base.so', 'libggml-base.dylib', 'ggml-base.dll']
  const file = names.map((name) => join(folder, name)).find((path) => existsSync(path))
  if (file === undefined) return null
  const texts = readFileSync(file).toString('latin1')
  const found = [...texts.matchAll(/\0\d+\.\d+\.\d+[\w.-]*\0+([0-9a-f]{7,40})(?:-dirty)?(?=\0)/g)]
  return found.length === 1 ? found[0]![1]! : null
}
