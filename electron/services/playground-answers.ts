import { writingInputSchema, type WritingInput } from '../../engine/contract/index.ts'
import type { PlaygroundAnswer, Question } from '../contract/index.ts'
import { ProblemError, toProblem, wasAborted } from '../problems.ts'
import { requireAllowedWithin } from './allowed-paths.ts'
import type { Context } from './context.ts'
import type { Library } from './library.ts'
import { writingModelOf } from './playground-models.ts'
import type { KnownModel, PlaygroundProcess } from './playground-process.ts'

/** Lets one checkpoint after the other answer a question, and tells how each stands. */
export class PlaygroundAnswers {
  readonly #context: Context
  readonly #library: Library
  readonly #process: PlaygroundProcess

  constructor(context: Context, library: Library, process: PlaygroundProcess) {
    this.#context = context
    this.#library = library
    this.#process = process
  }

  /** Fills in the answers of a question. What one cannot say does not keep the others from answering. */
  async answer(question: Question, signal: AbortSignal): Promise<void> {
    const models = question.answers.map((answer) => this.#modelOf(answer))
    const keep = models.filter((model) => model !== null)
    for (const [column, model] of models.entries()) {
      if (signal.aborted) return
      if (model) await this.#write(question, column, { model, keep }, signal)
      else this.#tell(question, column)
    }
  }

  change(question: Question, column: number, changes: Partial<PlaygroundAnswer>): void {
    Object.assign(question.answers[column]!, changes)
    this.#tell(question, column)
  }

  #tell(question: Question, column: number): void {
    this.#context.emit('answer', { question: question.id, column, answer: structuredClone(question.answers[column]!) })
  }

  /** Null, with the problem in the answer, where the checkpoint cannot write. */
  #modelOf(answer: PlaygroundAnswer): KnownModel | null {
    try {
      return writingModelOf(this.#context, this.#library.row(answer.checkpointId), answer.runner)
    } catch (error) {
      Object.assign(answer, { state: 'failed', problem: toProblem(error) })
      return null
    }
  }

  async #write(
    question: Question,
    column: number,
    { model, keep }: { model: KnownModel; keep: readonly KnownModel[] },
    signal: AbortSignal,
  ): Promise<void> {
    const answer = question.answers[column]!
    try {
      const paths = [model.checkpoint, ...(model.adapter === undefined ? [] : [model.adapter])]
      await requireAllowedWithin(this.#context.options.platform, paths)
      this.change(question, column, { state: 'loading', loaded: 0 })
      const started = performance.now()
      const loaded = await this.#process.load(model, keep, {
        signal,
        progress: (done, total) => this.change(question, column, { loaded: total > 0 ? done / total : 0 }),
      })
      const asked = performance.now()
      this.change(question, column, { state: 'writing', loaded: null })
      let first: number | null = null
      const written = await this.#process.write(model, inputOf(question, answer), question.settings, {
        signal,
        part: (piece) => {
          first ??= performance.now()
          answer.texts[answer.texts.length - 1] += piece.text
          this.#context.emit('answerText', { question: question.id, column, pieces: [piece] })
        },
      })
      const { threads, ...facts } = written
      const ran = threads === undefined ? loaded.ran : { ...loaded.ran, threads }
      const loadSeconds = (asked - started) / 1000
      const firstSeconds = ((first ?? performance.now()) - asked) / 1000
      this.change(question, column, { state: 'done', facts: { ...facts, ran, loadSeconds, firstSeconds } })
    } catch (error) {
      const cancelled = signal.aborted || wasAborted(error)
      const problem = cancelled ? null : toProblem(error)
      this.change(question, column, { state: cancelled ? 'cancelled' : 'failed', loaded: null, problem })
    }
  }
}

/** What a model is given: the prompt, or its own conversation so far. */
function inputOf({ mode, system, said }: Question, { texts }: PlaygroundAnswer): WritingInput {
  if (mode === 'prompt') return { prompt: said[0]! }
  const messages = said.flatMap((content, turn) => [
    ...(turn === 0 ? [] : [{ role: 'assistant', content: texts[turn - 1] ?? '' }]),
    { role: 'user', content },
  ])
  const parsed = writingInputSchema.safeParse({
    messages: [...(system === '' ? [] : [{ role: 'system', content: system }]), ...messages],
  })
  if (!parsed.success) throw new ProblemError('bad-setting', 'The chat has become too long: begin a new one.')
  return parsed.data
}
