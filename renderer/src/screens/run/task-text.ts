import type { Answer, engine, RunState } from '../../../../electron/contract/index.ts'

/** How the scheduler has a task, as `running on n1 for 1:02:03` or `pending: Resources`. */
export function taskText({ state, node, time, reason }: engine.QueuedTask): string {
  const name = state.toLowerCase().replaceAll('_', ' ')
  if (node !== '') return `${name} on ${node} for ${time}`
  return reason && reason !== 'None' ? `${name}: ${reason}` : name
}

/**
 * Whether a run's task on a cluster prints no more, so that there is nothing to look at again. One that was interrupted goes
 * on while the scheduler has its task.
 *
 * @param found what was last told of the task; undefined before that
 */
export function printsNoMore(state: RunState, found: Answer<'clusters.task'> | undefined): boolean {
  if (state === 'paused' || state === 'interrupted') return found !== undefined && !found?.task
  return state === 'done' || state === 'failed' || state === 'cancelled'
}
