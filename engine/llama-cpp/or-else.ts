import type { EngineEvent, RunnerSettings } from '../contract/index.ts'
import { StageProgress } from '../runs/stage-progress.ts'
import { refusalOf } from '../shared/errors.ts'
import type { ChosenRunner } from './choose.ts'
import type { OpenControl } from './open-control.ts'

type OnLlamaCpp = Extract<ChosenRunner, { runner: 'llama.cpp' }>

/**
 * Runs a model on what was chosen, and on Secateur itself where llama.cpp, taken unasked, turns out not to be able to.
 *
 * @param ways.begun whether something has been told of what llama.cpp wrote: then it is not begun again
 */
export async function orElse<Result>(
  chosen: ChosenRunner,
  wanted: RunnerSettings['runner'],
  ways: {
    onLlamaCpp: (chosen: OnLlamaCpp) => Promise<Result>
    onSecateur: (why: string | null) => Promise<Result>
    begun: () => boolean
  },
): Promise<Result> {
  if (chosen.runner === 'secateur') return await ways.onSecateur(chosen.why)
  try {
    return await ways.onLlamaCpp(chosen)
  } catch (caught) {
    // A cache folder that cannot be written is a reason too.
    const error = refusalOf(caught)
    if (wanted !== 'auto' || ways.begun()) throw error
    return await ways.onSecateur(error.message)
  }
}

/** What opening a model on llama.cpp says, as events of the engine. */
export function openControl(emit: (event: EngineEvent) => void, signal: AbortSignal): OpenControl {
  const stages = {
    'reading weights': new StageProgress('reading weights', emit),
    writing: new StageProgress('writing', emit),
    proving: new StageProgress('proving', emit),
  }
  return {
    signal,
    estimated: (estimate) => emit({ type: 'estimate', estimate }),
    say: (message) => emit({ type: 'log', level: 'info', message }),
    progress: (stage, done, total) => stages[stage].report(done, total),
  }
}
