import type { BackgroundTask } from '../../../electron/contract/index.ts'
import { call } from '../client/index.ts'
import { app } from './app.svelte.ts'

/** The task of a kind that is under way for a subject. */
export const runningTask = (
  kind: BackgroundTask['kind'],
  { kind: of, id }: NonNullable<BackgroundTask['subject']>,
): BackgroundTask | undefined =>
  app.runningTasks.find((task) => task.kind === kind && task.subject?.kind === of && task.subject.id === id)

/** Ends a task; it may have ended meanwhile. */
export const cancelTask = (task: BackgroundTask | undefined): void =>
  void (task && call('tasks.cancel', { id: task.id }).catch(() => {}))
