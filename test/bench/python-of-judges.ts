import { NotHere } from '../judges/not-here.ts'
import { judgePython } from '../judges/python.ts'

/**
 * The Python that a peer is to run in.
 *
 * @param named by the user; that of the judges unless given
 * @param peer what is left out, saying so, where there is none
 */
export function pythonOfJudges(named: string | undefined, peer: string): string | null {
  if (named !== undefined) return named
  try {
    return judgePython((what) => console.error(what))
  } catch (error) {
    if (!(error instanceof NotHere)) throw error
    console.error(`${peer} is left out, there are no ratios: ${error.message}`)
    return null
  }
}
