import { call } from '../client/index.ts'
import { app } from '../state/app.svelte.ts'

export type ChooseKind = 'folder' | 'file' | 'archive'

/** What the folder browser of the shell is asked for. */
class PathRequest {
  /** The folder that the last path was chosen in: the next one is often near it. */
  lastFolder: string | undefined
  current = $state.raw<{ title: string; kind: ChooseKind; resolve: (path: string | null) => void }>()

  /** Ends it with a path, or with null for none. */
  answer(path: string | null) {
    const request = this.current
    this.current = undefined
    request?.resolve(path)
  }
}
export const pathRequest = new PathRequest()

/** Lets the user choose a path: in the system's own dialog where there is one, else in the folder browser. Null: none. */
export function choosePath(kind: ChooseKind, title: string): Promise<string | null> {
  if (app.info?.nativeDialogs) return call('folders.choose', { kind, title })
  return new Promise((resolve) => {
    pathRequest.current = { title, kind, resolve }
  })
}
