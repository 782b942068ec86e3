import { SingleBar } from 'cli-progress'
import type { EngineEvent, Overall, Removal } from '../../contract/index.ts'
import { exitCodeOf, failureOf } from '../../shared/errors.ts'
import { numberText } from '../../shared/number-text.ts'
import { duration, sizesOf, removalText, stepText, validatedText } from './event-text.ts'
import { describe, type Outcome } from './result-text.ts'

export interface Reporter {
  event(event: EngineEvent): void
  finish(result: Outcome): void
  /** Reports an error; returns the exit code. */
  fail(error: unknown): number
  note(text: string): void
  /** Takes the progress bar away. */
  end(): void
  /** Shows generated text as it comes; undefined where only the result is wanted. */
  text: ((more: string) => void) | undefined
}

/** JSON lines for programs; otherwise a progress bar on a terminal and plain lines elsewhere. */
export function makeReporter({
  json,
  terminal = process.stderr.isTTY,
}: {
  json: boolean
  terminal?: boolean
}): Reporter {
  if (json) return new JsonReporter()
  return new HumanReporter(terminal)
}

class JsonReporter implements Reporter {
  readonly text = undefined
  event(event: EngineEvent): void {
    process.stdout.write(`${JSON.stringify(event)}\n`)
  }
  finish(result: Outcome): void {
    process.stdout.write(`${JSON.stringify(result)}\n`)
  }
  fail(error: unknown): number {
    this.event({ type: 'error', ...failureOf(error) })
    return exitCodeOf(error)
  }
  note(text: string): void {
    process.stderr.write(`${text}\n`)
  }
  end(): void {}
}

class HumanReporter implements Reporter {
  readonly #terminal: boolean
  #bar: SingleBar | null = null
  #stage = ''
  #lastLine = 0
  #stageStarted = 0
  #removal: Removal | undefined
  #overall: Overall | null = null
  readonly text = (more: string) => void process.stdout.write(more)

  constructor(terminal: boolean) {
    this.#terminal = terminal
  }

  event(event: EngineEvent): void {
    switch (event.type) {
      case 'started':
        return this.note(`computing on ${event.backend} with ${event.threads} threads`)
      case 'estimate':
        this.note(sizesOf(event.estimate))
        this.#removal = event.estimate.removal
        if (this.#removal) this.note(removalText(this.#removal))
        return event.estimate.placement && this.note(event.estimate.placement.detail)
      case 'overall':
        this.#overall = event.overall
        return
      case 'progress':
        // What is left is that of the stage, and where that has parts not of the one that is shown.
        return event.parts
          ? this.#progress(event.item ?? event.stage, event.done, event.total, '', undefined, event.parts.total > 1)
          : this.#progress(event.item ?? event.stage, event.done, event.total, '', event.secondsLeft)
      case 'step':
        return this.#progress(
          'training',
          event.metrics.step,
          event.steps,
          stepText(event, this.#removal),
          event.secondsLeft,
        )
      case 'warning':
        return this.note(`warning: ${event.message}`)
      case 'validated':
        return this.note(validatedText(event))
      case 'sample':
        return this.note(`after step ${event.sample.step}: ${event.sample.prompt}${event.sample.text}`)
      case 'log':
        return this.note(event.message)
      default:
        return
    }
  }

  /** @param isPart whether what is shown is one of several items of its stage */
  #progress(stage: string, done: number, total: number, text: string, secondsLeft?: number, isPart = false): void {
    const now = performance.now()
    if (stage !== this.#stage) {
      this.#clear()
      this.#stage = stage
      this.#stageStarted = now
      this.#lastLine = 0
    }
    // Until something is done, nothing tells how long the rest takes.
    const seconds = secondsLeft ?? (done > 0 ? ((now - this.#stageStarted) / 1000 / done) * (total - done) : null)
    const left = total > done && seconds !== null ? ` ${duration(seconds)} left` : ''
    if (this.#terminal && total > 0) {
      this.#bar ??= this.#newBar(total)
      this.#bar.setTotal(total)
      this.#bar.update(done, { stage, text, left, run: this.#run(isPart) })
    } else if ((now - this.#lastLine > 2000 && now - this.#stageStarted > 1000) || (text !== '' && done === total)) {
      this.#lastLine = now
      const share = total > 0 ? `${Math.floor((100 * done) / total)}%` : numberText(done)
      process.stderr.write(`${stage} ${share}${text === '' ? '' : ` ${text}`}${left}${this.#run(isPart)}\n`)
    }
  }

  /** How far the run is as a whole, where it has more phases or items than the one that is shown. */
  #run(isPart: boolean): string {
    const { phases = [], fraction = null, secondsLeft = null } = this.#overall ?? {}
    if ((phases.length < 2 && !isPart) || fraction === null) return ''
    return ` (run: ${Math.floor(100 * fraction)}%${secondsLeft === null ? '' : `, ${duration(secondsLeft)} left`})`
  }

  #newBar(total: number): SingleBar {
    const bar = new SingleBar({
      format: '{stage} {bar} {percentage}% {text}{left}{run}',
      clearOnComplete: true,
      hideCursor: true,
      gracefulExit: false,
      stream: process.stderr,
    })
    bar.start(total, 0, { stage: '', text: '', left: '', run: '' })
    return bar
  }

  end(): void {
    this.#clear()
  }

  #clear(): void {
    this.#bar?.stop()
    this.#bar = null
  }

  finish(result: Outcome): void {
    this.#clear()
    process.stdout.write(`${describe(result)}\n`)
  }

  fail(error: unknown): number {
    this.#clear()
    process.stderr.write(`secateur: ${failureOf(error).message}\n`)
    return exitCodeOf(error)
  }

  note(text: string): void {
    this.#clear()
    process.stderr.write(`${text}\n`)
  }
}
