import { app } from 'electron'
import { join } from 'node:path'
import { startElectron } from './host/electron.ts'
import { engineOfPackage, engineOfRepository } from './host/engine.ts'
import { samplesIn } from './host/samples.ts'

const root = app.getAppPath()
const { resourcesPath } = process

startElectron({
  renderer: join(root, 'out/renderer'),
  preload: join(root, 'out/preload/preload.cjs'),
  samples: app.isPackaged ? samplesIn(resourcesPath, true) : samplesIn(join(root, 'resources'), false),
  engine: app.isPackaged ? engineOfPackage(resourcesPath) : engineOfRepository(root),
})
