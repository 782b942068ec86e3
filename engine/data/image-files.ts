import { opendir } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { badFile } from '../shared/errors.ts'

const extensions = new Set(['.jpg', '.jpeg', '.png', '.webp', '.gif', '.tif', '.tiff', '.avif', '.bmp'])
/** Whether a file is called as images that are read. */
export const isImageName = (name: string): boolean => extensions.has(extname(name).toLowerCase())

/** Formats of images that are not read. */
const unread = new Set([
  '.heic',
  '.heif',
  '.jp2',
  '.jxl',
  '.ppm',
  '.pgm',
  '.pbm',
  '.pnm',
  '.svg',
  '.tga',
  '.psd',
  '.exr',
])
/** Folders below the first that are looked into: a split, and the classes in it. */
const deepest = 3
const mostImages = 5_000_000

export interface ImageFile {
  /** Path within the folder. */
  name: string
  /** The subfolder that it lies in; null for an image beside the subfolders. */
  className: string | null
}

/**
 * The images of a folder and its subfolders, sorted by class and name. Hidden files and links are left out.
 *
 * @param onLeftOut hears of links that have the name of an image or of a folder, and of images in formats that are not read
 */
export async function listImages(
  folder: string,
  signal: AbortSignal,
  onLeftOut?: (name: string, what: 'link' | 'format') => void,
): Promise<ImageFile[]> {
  const images: ImageFile[] = []
  await walk('', 0)
  return images.sort(
    (one, other) => compare(one.className ?? '', other.className ?? '') || compare(one.name, other.name),
  )

  async function walk(inner: string, depth: number): Promise<void> {
    signal.throwIfAborted()
    for await (const entry of await opendir(join(folder, inner), { bufferSize: 512 })) {
      if (entry.name.startsWith('.')) continue
      const name = inner === '' ? entry.name : `${inner}/${entry.name}`
      const extension = extname(entry.name).toLowerCase()
      if (entry.isSymbolicLink() && (extension === '' || extensions.has(extension))) onLeftOut?.(name, 'link')
      if (entry.isFile() && unread.has(extension)) onLeftOut?.(name, 'format')
      if (entry.isDirectory() && depth < deepest) await walk(name, depth + 1)
      else if (entry.isFile() && extensions.has(extension)) {
        images.push({ name, className: inner === '' ? null : inner })
        if (images.length > mostImages) throw badFile(folder, undefined, `holds over ${mostImages} images`)
      }
    }
  }
}

const compare = (one: string, other: string) => (one < other ? -1 : one > other ? 1 : 0)
