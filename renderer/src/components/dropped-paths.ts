/**
 * Paths of dropped files and folders: Electron's preload script tells those of files (`pathOf`); file managers on Linux also
 * send `file://` addresses, which browsers pass on. Empty where neither is told, as a browser usually hides paths.
 */
export function droppedPaths<File>(
  files: ArrayLike<File>,
  uriList: string,
  pathOf: ((file: File) => string) | undefined,
): string[] {
  const ofFiles = pathOf ? Array.from(files, pathOf).filter(Boolean) : []
  return ofFiles.length > 0 ? ofFiles : pathsOfUris(uriList)
}

/** Local paths in a text/uri-list. */
export function pathsOfUris(list: string): string[] {
  const paths: string[] = []
  for (const line of list.split(/\r?\n/)) {
    if (!/^file:\/\/(localhost)?\//i.test(line)) continue
    try {
      paths.push(decodeURIComponent(new URL(line).pathname))
    } catch {
      // Not an address: nothing to take from it.
    }
  }
  return paths
}
