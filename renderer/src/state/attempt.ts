import { asProblem } from '../client/index.ts'
import { toasts } from './toasts.svelte.ts'

/** Does something that the user asked for; where it fails, says why in a message. Tells whether it was done. */
export async function attempt(action: () => Promise<unknown>): Promise<boolean> {
  try {
    await action()
    return true
  } catch (error) {
    toasts.problem(asProblem(error))
    return false
  }
}
