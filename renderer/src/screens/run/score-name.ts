import { taskTitle } from '../../names.ts'

/** What a score is called: a task, a text (`perplexity.wiki`), images (`images`) or speed (`latency`). */
export function scoreName(name: string): string {
  if (name === 'images') return 'top-1 accuracy'
  if (name === 'latency') return 'speed'
  return name.startsWith('perplexity.') ? `perplexity of ${name.slice('perplexity.'.length)}` : taskTitle(name)
}
