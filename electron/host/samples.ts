import { join } from 'node:path'
import type { SampleFolders } from '../services/types.ts'

/** The samples in the folder of what comes with the app. */
export const samplesIn = (resources: string, mayMove: boolean): SampleFolders => ({
  text: join(resources, 'sample'),
  images: join(resources, 'sample-vit'),
  mayMove,
})
