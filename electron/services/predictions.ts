import { scoredIn } from './images.ts'
import type { Context } from './context.ts'
import type { Handlers } from './handlers.ts'

/** What runs said of single rows of tasks. */
export function predictionHandlers(context: Context): Handlers<keyof Handlers & `predictions.${string}`> {
  return {
    'predictions.compare': async ({ before, after, ...filter }) =>
      await context.engine.request('compareChoices', {
        ...filter,
        ...(before && { before: await scoredIn(context, before) }),
        after: await scoredIn(context, after),
      }),
  }
}
