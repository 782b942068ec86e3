import { join } from 'node:path'
import { cacheFolder } from '../shared/cache-folder.ts'

// Builds of llama.cpp for graphics cards. They take up to 190 MB of disk, and few computers can use all of them: the set-up
// leaves them out, `npm run install-llama-cpp` fetches them.

/** In the order in which they are tried: a card of NVIDIA's is faster on CUDA than on Vulkan. */
export const cardBuildNames = ['cuda', 'vulkan'] as const
export type CardBuildName = (typeof cardBuildNames)[number]

/** What a build computes with, and what it finds cards by, in words for a person. */
export const cardBuildWords: Record<CardBuildName, { title: string; needs: string }> = {
  cuda: { title: 'CUDA', needs: 'an NVIDIA card with its driver, and cudart and cublas of CUDA 13' },
  vulkan: {
    title: 'Vulkan',
    needs: 'a graphics card with a driver for Vulkan 1.2, and the library libvulkan.so.1 or vulkan-1.dll',
  },
}

/** One of node-llama-cpp's packages for a graphics card, as it lies in the npm registry. */
export interface CardBuild {
  name: CardBuildName
  /** Without the scope, which is also the name of the folder with its libraries. */
  package: string
  version: string
  /** Of the packed file, as the registry has it (Subresource Integrity). */
  integrity: string
  /** Bytes to download, and bytes on the disk. */
  bytes: number
  unpackedBytes: number
}

/**
 * Pinned as package-lock.json pins the builds for processors, and of the same versions: files, proofs and speeds of the one and
 * the other are of the same llama.cpp. There are none for other platforms; on Macs the platform's own package has Metal.
 */
const pinned: Partial<Record<string, readonly CardBuild[]>> = {
  'linux-x64': [
    {
      name: 'cuda',
      package: 'linux-x64-cuda',
      version: '3.22.1',
      integrity: 'sha512-8rQCjyNNLZJUFit+YpjwlC4hwkKgOMIkB2wuycKBf8NU2O3ySKbiWZQ8aw9ku2nUTXjSnUIrE6KB88itduTBuA==',
      bytes: 142_898_030,
      unpackedBytes: 189_352_027,
    },
    {
      name: 'vulkan',
      package: 'linux-x64-vulkan',
      version: '3.22.1',
      integrity: 'sha512-bBxqU+JOcBu1nb5Qj2zcMci+JByT1E8EajHvYodyNfVIPkEhXh+/HMwR1/BT7xP08YK0hks+kM8fglER0P8JEg==',
      bytes: 24_311_427,
      unpackedBytes: 73_750_139,
    },
  ],
  'win32-x64': [
    {
      name: 'cuda',
      package: 'win-x64-cuda',
      version: '3.21.1',
      integrity: 'sha512-PLz70neFEMkQTlmJqG1ujUtCSgHasLPMxQ9rLkqQVmZYAXqkRj+45TIHCjdn3XqUeaoun0vrO9rRaxZ8NVq9jg==',
      bytes: 138_542_727,
      unpackedBytes: 172_843_224,
    },
    {
      name: 'vulkan',
      package: 'win-x64-vulkan',
      version: '3.21.1',
      integrity: 'sha512-HJ237Azh5m4Sz+w3A1IU/fYLaSDOocskcfn2ILTgqTuuORCB86EMnu3Yt/XsNhRHTtEiwz1Q/E0mO4PLIbZLAA==',
      bytes: 26_619_567,
      unpackedBytes: 100_711_668,
    },
  ],
}

/** This computer, as the pinned builds are listed. */
export const thisPlatform = `${process.platform}-${process.arch}`
/** A platform as a person reads it. */
export const platformText = (platform: string): string => platform.replace('-', ' on ')

/** The builds for a platform, in the order in which they are tried. */
export const cardBuilds = (platform = thisPlatform): readonly CardBuild[] => pinned[platform] ?? []
export const platformsWithCards = Object.keys(pinned)

/** The folder that a packaged app brings its builds in; undefined in a checkout. */
const packagedFolder = (): string | undefined => process.env['SECATEUR_LLAMA_CPP_BUILDS'] || undefined

/** Where builds lie that are installed: in the cache folder, unless a packaged app brings its own. */
export const cardBuildsFolder = (): string => packagedFolder() ?? join(cacheFolder(), 'llama-cpp-builds')

/** The folder of a build: another version lies in another one. */
export const folderOfBuild = (build: Pick<CardBuild, 'package' | 'version'>): string =>
  `${build.package}-${build.version}`

/** Its library for Node, in the folder of the build. */
export const addonOfBuild = (build: Pick<CardBuild, 'package'>): string =>
  join('bins', build.package, 'llama-addon.node')

/** How a build comes to be installed here; null where there is none for the platform, or a packaged app brings what it has. */
export function howToInstall(names: readonly CardBuildName[] = cardBuildNames, platform = thisPlatform): string | null {
  const there = cardBuilds(platform).filter(({ name }) => names.includes(name))
  if (there.length === 0 || packagedFolder() !== undefined) return null
  return `"npm run install-llama-cpp -- ${there.map(({ name }) => name).join('|')}" installs one for graphics cards`
}
