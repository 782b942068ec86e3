/**
 * What a model is called by where it lies: the name of its folder, or of its GGUF file without the number of the part. What a
 * run wrote lies in `output` and is called after the folder of the run, and in the Hub's cache, where folders are called
 * after revisions, a model is called after its repository.
 *
 * @param path of this computer, or of another one
 */
export function modelName(path: string): string {
  const [last = path, parent, repository] = path
    .split(/[\\/]+/)
    .filter(Boolean)
    .toReversed()
  const [, cached] = parent === 'snapshots' ? (/^models--(?:.*--)?(.+)$/.exec(repository ?? '') ?? []) : []
  if (cached !== undefined) return cached
  if (last === 'output' && parent !== undefined) return parent
  return last.replace(/(-\d{5}-of-\d{5})?\.gguf$/i, '')
}
