import { existsSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { ImageLayout } from '../../contract/index.ts'
import { explained } from '../../shared/system-errors.ts'
import type { ImageSplit } from './labelled-images.ts'
import { parquetSplitsIn } from './parquet-images.ts'

/** Names that folders of a split have, best first. */
export const splitNames: Record<ImageSplit, readonly string[]> = {
  train: ['train', 'training'],
  test: ['test', 'val', 'valid', 'validation'],
}

/** Lists of VTAB-1k, best first. */
export const listNames: Record<ImageSplit, readonly string[]> = {
  train: ['train800val200.txt', 'train800.txt', 'train.txt'],
  test: ['test.txt', 'val200.txt', 'val.txt'],
}

/** The file that tells a folder of CUB-200-2011. */
export const cubLabels = 'image_class_labels.txt'

const both: readonly ImageSplit[] = ['train', 'test']

/** How a set of images lies on disk, and which splits it has: none where all its images are both. */
export async function layoutOf(path: string): Promise<{ layout: ImageLayout; splits: readonly ImageSplit[] }> {
  try {
    if ((await stat(path)).isFile()) return { layout: /\.parquet$/i.test(path) ? 'Parquet' : 'VTAB-1k', splits: [] }
    if (existsSync(join(path, cubLabels))) return { layout: 'CUB-200-2011', splits: both }
    const lists = both.filter((split) => listNames[split].some((name) => existsSync(join(path, name))))
    if (lists.length > 0) return { layout: 'VTAB-1k', splits: lists }
    const packed = await parquetSplitsIn(path)
    if (packed) return { layout: 'Parquet', splits: packed }
    const entries = await readdir(path, { withFileTypes: true })
    const folders = new Set(entries.filter((entry) => entry.isDirectory()).map(({ name }) => name.toLowerCase()))
    return {
      layout: 'class folders',
      splits: both.filter((split) => splitNames[split].some((name) => folders.has(name))),
    }
  } catch (error) {
    throw explained(path, error)
  }
}
