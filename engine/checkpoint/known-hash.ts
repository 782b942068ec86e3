import { z } from 'zod'
import { keyOfMeasurement, measuredOnce } from '../shared/measured.ts'
import type { WorkControl } from '../shared/work-control.ts'
import { hashFolder, stampOfFolder } from './hash.ts'

/**
 * A hash of something's contents that is remembered on this computer, so that large files are read once.
 *
 * @param stamp paths, sizes, times and numbers of files: as long as it is the same, so are the contents
 */
export const rememberedHash = (stamp: unknown, take: () => Promise<string>): Promise<string> =>
  measuredOnce('content-hashes.json', z.string(), keyOfMeasurement(stamp), take)

/** What `hashFolder` finds of a checkpoint, which is read once as long as its files do not change. */
export const knownHash = async (checkpoint: { folder: string }, control: WorkControl): Promise<string> =>
  await rememberedHash([await stampOfFolder(checkpoint.folder)], async () => {
    const { hash } = await hashFolder(checkpoint, control)
    return hash
  })
