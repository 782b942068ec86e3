import { z } from 'zod'
import { settingsSchema, taskSchema } from './app.ts'
import { id } from './common.ts'
import { playgroundEvents } from './playground.ts'
import { loadPointSchema, logLineSchema, pruningSnapshotSchema, sampleSchema } from './run-records.ts'
import { runSchema } from './runs.ts'

/** What the main side tells every renderer as it happens. After a lost connection the renderer asks anew. */
export const events = {
  run: runSchema,
  /** New points of a run's curves, in order. */
  metrics: z.object({
    id,
    points: z.array(z.object({ name: z.string(), steps: z.array(z.number()), values: z.array(z.number().nullable()) })),
  }),
  /** Curves were cut back to a step, since the run goes on from there. */
  rewound: z.object({ id, step: z.int() }),
  snapshot: z.object({ id, snapshot: pruningSnapshotSchema }),
  sample: z.object({ id, sample: sampleSchema }),
  load: z.object({ id, point: loadPointSchema }),
  log: z.object({ id, lines: z.array(logLineSchema) }),
  /** Runs were removed, archived or restored. */
  runsChanged: z.object({ ids: z.array(id) }),
  checkpoint: z.object({ id, removed: z.boolean() }),
  dataset: z.object({ id, removed: z.boolean() }),
  /** Folders of the library, what was found in them, or the drives that they are on have changed. */
  libraryFolders: z.object({}),
  /** What is known of a checkpoint's speed, or how its measurement stands, has changed. */
  speeds: z.object({ id }),
  task: taskSchema,
  settings: settingsSchema,
  ...playgroundEvents,
  /** Something that the user should be told wherever they are. */
  notice: z.object({ level: z.enum(['info', 'warning', 'error']), message: z.string() }),
} as const satisfies Record<string, z.ZodType>
export type Events = { [E in keyof typeof events]: z.output<(typeof events)[E]> }
export type EventName = keyof Events
export type AppEvent = { [E in EventName]: { name: E; payload: Events[E] } }[EventName]
