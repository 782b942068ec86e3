import { z } from 'zod'
import { isInParts, type Job } from './job.ts'

/** What a run goes through, one after the other. */
export const phaseSchema = z.enum([
  'scoring dense',
  'reading',
  'writing self-data',
  'training',
  'writing',
  'scoring',
  'comparing',
  'proving',
  'sweeping',
])
export type Phase = z.infer<typeof phaseSchema>

/** The phases that a job has, in their order. */
export function phasesOf(job: Job): Phase[] {
  switch (job.kind) {
    case 'prune':
      return [
        ...ifSo(job.evaluateDense, 'scoring dense'),
        'reading',
        ...ifSo(job.selfData > 0, 'writing self-data'),
        'training',
        'writing',
        ...ifSo(job.evaluation !== undefined, 'scoring'),
        ...ifSo(job.evaluateDense, 'comparing'),
      ]
    case 'finetune':
      return ['reading', ...ifSo(job.selfData > 0, 'writing self-data'), 'training', 'writing']
    case 'evaluate': {
      // Parts are compared one by one, side by side with others that are scored.
      const isCompared = job.compareWith !== undefined && !isInParts(job)
      return [...ifSo(isCompared, 'scoring dense'), 'scoring', ...ifSo(isCompared, 'comparing')]
    }
    case 'merge':
      return ['writing']
    case 'export':
      return ['writing', ...ifSo(job.proof, 'proving')]
    case 'sweep':
      return ['sweeping']
  }
}

const ifSo = (condition: boolean, phase: Phase): Phase[] => (condition ? [phase] : [])

/** What a phase computes and how long it takes beside that, as far as that can be told before it begins. */
export const phaseWorkSchema = z.object({
  operations: z.number(),
  /** Seconds that do not depend on the speed of the arithmetic: reading, writing, weights sent to a card. */
  seconds: z.number(),
  /** Shares of its items, by their name, where these differ in size. */
  items: z.record(z.string(), z.number()).optional(),
})
export type PhaseWork = z.infer<typeof phaseWorkSchema>

/** How far a run is as a whole. */
export const overallSchema = z.object({
  phases: z.array(
    z.object({
      phase: phaseSchema,
      state: z.enum(['waiting', 'active', 'done']),
      /** Spent on it in this attempt, and null before it begins and of what an earlier one did; the app adds those up. */
      seconds: z.number().nullable(),
    }),
  ),
  /** Of the whole run, and what is left of it; null while what is left cannot be told from what was measured. */
  fraction: z.number().nullable(),
  secondsLeft: z.number().nullable(),
})
export type Overall = z.infer<typeof overallSchema>

/** A line of log.jsonl: what a run said or decided, and when, in milliseconds since 1970. */
export const logEntrySchema = z.object({
  time: z.int(),
  level: z.enum(['info', 'warning', 'error']),
  message: z.string(),
})
export type LogEntry = z.infer<typeof logEntrySchema>
