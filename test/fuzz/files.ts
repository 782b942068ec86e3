import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Input } from './target.ts'

/** Names of all files below a folder, with slashes. */
export function treeOf(folder: string, below = ''): string[] {
  return readdirSync(join(folder, below)).flatMap((name) => {
    const path = below === '' ? name : `${below}/${name}`
    return lstatSync(join(folder, path)).isDirectory() ? treeOf(folder, path) : [path]
  })
}

/** All files below a folder. */
export const filesIn = (folder: string): Input =>
  Object.fromEntries(treeOf(folder).map((name) => [name, readFileSync(join(folder, name))]))
