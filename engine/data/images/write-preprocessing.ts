import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { readJson, writeJson } from '../../shared/files.ts'

const schema = z.looseObject({
  do_center_crop: z.boolean().nullish(),
  crop_size: z.unknown().optional(),
  size: z.unknown().optional(),
})
const edges = z.union([
  z.number().transform((edge) => ({ height: edge, width: edge })),
  z.looseObject({ height: z.number(), width: z.number() }),
])

/**
 * Lets the preprocessor_config.json of a folder that is being written say the size of images that its model takes, where it says
 * another one: other programs refuse images of any other size.
 */
export function fitPreprocessing(folder: string, [height, width]: readonly [height: number, width: number]): void {
  const file = join(folder, 'preprocessor_config.json')
  if (!existsSync(file)) return
  const fields = readJson(file, schema)
  const crops = fields.do_center_crop === true
  const ends = edges.safeParse(crops ? fields.crop_size : fields.size).data
  if (ends === undefined || (ends.height === height && ends.width === width)) return
  const wanted = { height, width }
  writeJson(file, { ...fields, ...(crops ? { crop_size: wanted, size: wanted } : { size: wanted }) })
}
