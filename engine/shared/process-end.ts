import type { ChildProcess } from 'node:child_process'
import { outOfMemoryKills } from './memory-kills.ts'

/** How a process of the engine ended. */
export interface ProcessEnd {
  code: number | null
  signal: NodeJS.Signals | null
  /** What it printed last, to say why it died. */
  lastWords: string
  /** Whether the system killed a process for want of memory meanwhile; null where it does not say. */
  memoryRanOut: boolean | null
}

/** The end of a process that has just been started; never rejects. It may print to pipes, which are read here. */
export function endOf(child: ChildProcess): Promise<ProcessEnd> {
  const killsBefore = outOfMemoryKills()
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8')
    stream?.on('data', (text: string) => (printed = (printed + text).slice(-16_384)))
  }
  return new Promise((resolve) => {
    child.on('error', (error) => {
      if (child.pid === undefined) resolve({ code: null, signal: null, lastWords: error.message, memoryRanOut: null })
    })
    child.on('close', (code, signal) => {
      const kills = killsBefore === null ? null : outOfMemoryKills()
      const memoryRanOut = kills === null ? null : kills > killsBefore!
      resolve({ code, signal, lastWords: printed.trim(), memoryRanOut })
    })
  })
}

const lessMemory = 'Take a smaller batch size or a shorter sequence length, or hold the weights in 8 bits.'

/**
 * In words that lead somewhere, why a process ended that nobody stopped.
 *
 * @param program its name at the start of a sentence
 * @param remedy what needs less memory
 */
export function explainEnd(
  { code, signal, lastWords, memoryRanOut }: ProcessEnd,
  program = 'The engine',
  remedy = lessMemory,
): string {
  const said = lastWords ? ` It said last: ${lastWords.slice(-400)}` : ''
  if (/heap out of memory|std::bad_alloc|Cannot allocate memory/i.test(lastWords))
    return `${program} ran out of memory. ${remedy}${said}`
  if (signal === 'SIGKILL' || code === 137) {
    if (memoryRanOut === null)
      return `${program} was killed, most likely by the system because memory ran out. ${remedy}`
    return memoryRanOut
      ? `The system killed ${inSentence(program)} because memory ran out. ${remedy}`
      : `${program} was killed by a person or another program; the system had not run out of memory.`
  }
  if (code === null && signal === null) return `${program} could not be started: ${lastWords}`
  if (signal !== null) return `${program} crashed (${signal}).${said}`
  return `${program} ended with code ${code} before it was done.${said}`
}

const inSentence = (program: string): string => program.replace(/^The /, 'the ')
