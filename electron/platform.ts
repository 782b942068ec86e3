/** Requests of the page to other computers, all of which were refused. */
export interface RefusedSoFar {
  count: number
  /** Scheme and host of the last one. */
  last: string | null
}

/** What the services ask of the host that they run in. Nothing above a host knows which one it is. */
export interface Platform {
  readonly host: 'electron' | 'headless'
  readonly nativeDialogs: boolean
  readonly canOpenFolders: boolean
  /** Real paths that may be browsed and read; null where the system's dialogs decide. */
  readonly allowedFolders: readonly string[] | null
  /** Real paths that may be read once they are there: their drive is not, or nobody has made them yet. */
  readonly absentFolders: readonly string[]
  /** The system's own dialog; null where it was closed. */
  choose(kind: 'folder' | 'file' | 'archive', title: string): Promise<string | null>
  openFolder(path: string): Promise<void>
  /** Moves a file or folder to the system's trash. */
  trash(path: string): Promise<void>
  /** A notification of the system about a run. */
  notify(title: string, body: string, runId: number): void
  /** Keeps the computer from sleeping while true. */
  keepAwake(awake: boolean): void
  /** Progress in the task bar from 0 to 1; null for none. */
  showProgress(fraction: number | null): void
  /** What was refused since the start; missing where the host does not see the page's requests, since a browser makes them. */
  refusedRequests?(): RefusedSoFar
}
