import type { engine } from '../../../../electron/contract/index.ts'

/** How the scheduler has a task, as `running on n1 for 1:02:03` or `pending: Resources`. */
export function taskText({ state, node, time, reason }: engine.QueuedTask): string {
  const name = state.toLowerCase().replaceAll('_', ' ')
  if (node !== '') return `${name} on ${node} for ${time}`
  return reason && reason !== 'None' ? `${name}: ${reason}` : name
}
