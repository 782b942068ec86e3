/** One call of the command line. */
export interface Call {
  /** Arguments, without --json. Paths are relative to the case's folder; inputs lie in ../inputs. */
  args: readonly string[]
  /** Exit code that it must end with, default 0; for a signal that ends the process, null. */
  exits?: number | null
  /** Ends the run when it tells of an event of this type. */
  stop?: { after: 'saved' | 'step'; step: number; signal: 'SIGINT' | 'SIGKILL' }
}

/** A file that a later call reads. */
export interface Preparation {
  file: string
  json: unknown
}

/** What is run in one folder, and recorded as one. */
export interface Case {
  name: string
  steps: readonly (Call | Preparation)[]
  /** Case whose run folder this one's must equal: the same run, interrupted on the way. */
  repeats?: string
}

/** Words of a command line: those of a text are separated by spaces. */
export const call = (...words: (string | readonly string[])[]): Call => ({
  args: words.flatMap((word) => (typeof word === 'string' ? word.split(' ').filter(Boolean) : word)),
})

/** Data that most cases train on. */
export const text = '--data ../inputs/sample/train.jsonl'
/** Training that takes a second. */
export const short = '--rows 2 --length 32 --seed 1 --learning-rate 1e-3 --save-every 5'
/** A pruning of the small checkpoint. */
export const small = `prune ../inputs/small ${text} ${short} --steps 12 --frequency 3 --calibration-rows 8`

/** A pruning of the small checkpoint with more flags, in a folder. */
export const prune = (flags: string, out = 'run'): Call => call(small, flags, '--out', out)
