import { app } from 'electron'
import { join } from 'node:path'
import { startElectron } from './host/electron.ts'
import { engineOfPackage, engineOfRepository } from './host/engine.ts'

const root = app.getAppPath()
const { resourcesPath } = process

startElectron({
  renderer: join(root, 'out/renderer'),
  preload: join(root, 'out/preload/preload.cjs'),
  sample: app.isPackaged ? join(resourcesPath, 'sample') : join(root, 'resources/sample'),
  engine: app.isPackaged ? engineOfPackage(resourcesPath) : engineOfRepository(root),
})
