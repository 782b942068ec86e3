import type { EngineEvent, Overall, ProgressEvent } from '../../engine/contract/index.ts'
import type { RunProgress } from '../contract/index.ts'

/** The progress of a run whose process has just been started. */
export const initialProgress = (step: number, steps: number): RunProgress => ({
  stage: 'starting',
  done: 0,
  total: 0,
  step,
  steps,
  secondsLeft: null,
  tokensPerSecond: null,
  imagesPerSecond: null,
  memoryBytes: null,
  rows: null,
  overall: null,
})

/** How far a run is as a whole, with the seconds that its phases took in earlier attempts at it. */
export const withEarlier = (overall: Overall, earlier: Overall | null): Overall => ({
  ...overall,
  phases: overall.phases.map((each) => {
    const before = earlier?.phases.find(({ phase }) => phase === each.phase)?.seconds ?? null
    return before === null ? each : { ...each, seconds: (each.seconds ?? 0) + before }
  }),
})

/** What a step of training says of the progress. */
export const progressOfStep = (event: Extract<EngineEvent, { type: 'step' }>): Partial<RunProgress> => ({
  stage: 'training',
  done: event.metrics.step,
  total: event.steps,
  step: event.metrics.step,
  steps: event.steps,
  secondsLeft: event.secondsLeft,
  tokensPerSecond: event.tokensPerSecond,
  imagesPerSecond: event.imagesPerSecond ?? null,
  memoryBytes: event.memoryBytes,
})

/** What the engine says of any other stage. */
export function progressOf({ stage, done, total, parts, secondsLeft, item }: ProgressEvent): Partial<RunProgress> {
  const named = { stage: item === undefined ? stage : `${stage}: ${item}`, secondsLeft: secondsLeft ?? null }
  if (!parts) return { ...named, done, total }
  return { ...named, done: parts.done + (total > 0 ? done / total : 0), total: parts.total }
}
