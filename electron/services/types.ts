import type { AppEvent, Problem, SampleName } from '../contract/index.ts'
import type { EngineOptions } from '../engine-client.ts'
import type { Platform } from '../platform.ts'

export interface ServiceOptions {
  /** Holds the database and, unless the settings say otherwise, runs and copied checkpoints. */
  dataFolder: string
  platform: Platform
  engine: EngineOptions
  samples: SampleFolders
}

/** Folders of the samples, and whether they may lie elsewhere at the next start. */
export type SampleFolders = Record<SampleName, string> & { mayMove: boolean }

/** Everything that the app can do, whichever host carries the messages. */
export interface Services {
  /** Parses, runs and answers one request; never throws. */
  call(method: string, input: unknown): Promise<{ ok: unknown } | { problem: Problem }>
  /** Tells of everything that happens, until the returned function is called. */
  subscribe(listener: (event: AppEvent) => void): () => void
  /** Stops running engines with their state saved and closes the database. */
  close(): Promise<void>
}
