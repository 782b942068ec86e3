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
  /** The release of llama.cpp. */
  release: string
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
  return { addon, release: built.success ? built.data.buildOptions.llamaCpp.release : '' }
}

/** What is written about it: its name and release. */
export const nameOf = ({ release }: LlamaCpp): string => `llama.cpp ${release}`.trim()
