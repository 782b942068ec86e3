import type { Context } from './context.ts'
import { exists } from './files.ts'

/** A name as the name of a file or folder. */
export const slug = (name: string): string =>
  name
    .normalize('NFKD')
    .replaceAll(/[^\w.-]+/g, '-')
    .replaceAll(/^[-.]+|[-.]+$/g, '')
    .slice(0, 60)
    .toLowerCase() || 'run'

/** `first` becomes `first (2)`, and that `first (3)`. */
export function nextName(name: string): string {
  const numbered = / \((\d+)\)$/.exec(name)
  return numbered ? `${name.slice(0, numbered.index)} (${Number(numbered[1]) + 1})` : `${name} (2)`
}

/** The path, or the first numbered one that neither the disk nor the history has. */
export async function freeRunFolder({ runs }: Pick<Context, 'runs'>, path: string): Promise<string> {
  let free = path
  for (let number = 2; runs.byFolder(free) || (await exists(free)); number++) free = `${path}-${number}`
  return free
}
