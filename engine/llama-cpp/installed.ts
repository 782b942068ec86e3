import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import {
  addonOfBuild,
  cardBuilds,
  cardBuildsFolder,
  cardBuildWords,
  type CardBuildName,
  folderOfBuild,
  platformText,
  thisPlatform,
} from './card-builds.ts'

/** Folders of node-llama-cpp's packages for a processor (on a Mac with Metal), by the platforms that Node 24 is pinned for. */
const builds: Partial<Record<string, string>> = {
  'linux-x64': 'linux-x64',
  'linux-arm64': 'linux-arm64',
  'darwin-x64': 'mac-x64',
  'darwin-arm64': 'mac-arm64-metal',
  'win32-x64': 'win-x64',
}

/** One llama.cpp as it is installed: a package of node-llama-cpp, without that library itself. */
export interface LlamaCpp {
  /** What it is built to compute with. */
  build: 'processor' | CardBuildName
  /** Its library for Node. */
  addon: string
  /** What it is a version of: the release of llama.cpp as the package names it, or the package where it names none. */
  version: string
}

/** All that is installed. */
export interface InstalledLlamaCpp {
  processor: LlamaCpp
  /** In the order in which they are tried. */
  cards: readonly LlamaCpp[]
}

const metadata = z.looseObject({ buildOptions: z.looseObject({ llamaCpp: z.looseObject({ release: z.string() }) }) })

/** What is installed for the processor, or in words why nothing is. */
export function findLlamaCpp(platform = thisPlatform): LlamaCpp | { missing: string } {
  const build = builds[platform]
  if (build === undefined) return { missing: `there is no llama.cpp for ${platformText(platform)}` }
  let entry
  try {
    entry = createRequire(import.meta.url).resolve(`@node-llama-cpp/${build}`)
  } catch {
    return { missing: `the optional package @node-llama-cpp/${build} is not installed` }
  }
  const addon = join(dirname(dirname(entry)), addonOfBuild({ package: build }))
  if (!existsSync(addon)) return { missing: `the package @node-llama-cpp/${build} holds no llama-addon.node` }
  return { build: 'processor', addon, version: versionOf(addon, build) }
}

/** What is installed for graphics cards, in the order in which it is tried. */
export function findCardBuilds(platform = thisPlatform): LlamaCpp[] {
  return cardBuilds(platform).flatMap((build) => {
    const addon = join(cardBuildsFolder(), folderOfBuild(build), addonOfBuild(build))
    return existsSync(addon) ? [{ build: build.name, addon, version: versionOf(addon, build.package) }] : []
  })
}

/** All that is installed, or in words why nothing runs: what a card has no room for runs on the processor. */
export function findInstalled(platform = thisPlatform): InstalledLlamaCpp | { missing: string } {
  const processor = findLlamaCpp(platform)
  return 'missing' in processor ? processor : { processor, cards: findCardBuilds(platform) }
}

function versionOf(addon: string, name: string): string {
  const file = join(dirname(addon), '_nlcBuildMetadata.json')
  const built = metadata.safeParse(existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : null)
  return built.success ? built.data.buildOptions.llamaCpp.release : `of @node-llama-cpp/${name}`
}

/** What a build computes with, in a word. */
export const titleOf = ({ build }: Pick<LlamaCpp, 'build'>): string =>
  build === 'processor' ? 'the processor' : cardBuildWords[build].title

/** What is written about it: its version, and the commit that its library says that it was built from. */
export function nameOf({ build, addon, version }: LlamaCpp): string {
  const commit = commitOf(dirname(addon))
  const facts = [build === 'processor' ? [] : cardBuildWords[build].title, commit === null ? [] : `commit ${commit}`]
  return [`llama.cpp ${version}`, ...facts.flat()].join(', ')
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
