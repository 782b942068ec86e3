import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import packageJson from '../../package.json' with { type: 'json' }
import type { Context } from './context.ts'
import type { Handlers } from './handlers.ts'

type AppMethod =
  | 'app.info'
  | 'devices.list'
  | 'folders.choose'
  | 'folders.open'
  | 'keptFiles.list'
  | 'keptFiles.remove'
  | 'llamaCpp.builds'

/** What the app is, and what only its host can do. */
export function appHandlers(context: Context, databaseKeptAside: string | undefined): Handlers<AppMethod> {
  const { options, engine } = context
  const { platform, dataFolder } = options
  return {
    'app.info': () => ({
      version: packageJson.version,
      host: platform.host,
      nativeDialogs: platform.nativeDialogs,
      canOpenFolders: platform.canOpenFolders,
      platform: process.platform,
      dataFolder,
      node: process.versions.node,
      ...(databaseKeptAside === undefined ? {} : { databaseKeptAside }),
    }),
    'devices.list': () => engine.request('devices', {}),
    'llamaCpp.builds': () => engine.request('llamaCppBuilds', {}),
    'keptFiles.list': () => engine.request('keptFiles', {}),
    'keptFiles.remove': async () => {
      await engine.request('keptFiles', { remove: true })
      return undefined
    },
    'folders.choose': ({ kind, title }) => platform.choose(kind, title),
    'folders.open': async ({ path }) => {
      const isFile = await stat(path).then(
        (found) => found.isFile(),
        () => false,
      )
      await platform.openFolder(isFile ? dirname(path) : path)
      return undefined
    },
  }
}
