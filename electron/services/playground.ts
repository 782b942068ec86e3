import { setImmediate } from 'node:timers/promises'
import {
  mostKept,
  type ParsedRequest,
  type PlaygroundAnswer,
  type PlaygroundState,
  type Question,
  type RunnerChoice,
  type SavedPrompt,
} from '../contract/index.ts'
import { PromptStore, QuestionStore } from '../database/playground.ts'
import { notFound, ProblemError } from '../problems.ts'
import type { Context } from './context.ts'
import type { DeviceTurns, Turn } from './device-turns.ts'
import type { Handlers } from './handlers.ts'
import type { Library } from './library.ts'
import { PlaygroundAnswers } from './playground-answers.ts'
import { besideOf, besideOfRun } from './playground-models.ts'
import { PlaygroundProcess } from './playground-process.ts'
import { DeviceChoice } from './run-device.ts'
import { rowOf } from './run-summary.ts'

/** A question that is being answered. */
interface Live {
  question: Question
  abort: AbortController
  turn: Turn | null
}

const unfinished = ['waiting', 'loading', 'writing']

/** Prompts and chats that checkpoints answer side by side. */
export class Playground {
  readonly #context: Context
  readonly #library: Library
  readonly #turns: DeviceTurns
  readonly #devices: DeviceChoice
  readonly #questions: QuestionStore
  readonly #prompts: PromptStore
  readonly #process: PlaygroundProcess
  readonly #answers: PlaygroundAnswers
  readonly #live = new Map<number, Live>()
  readonly #settling = new Set<Promise<void>>()

  constructor(context: Context, library: Library, turns: DeviceTurns) {
    this.#context = context
    this.#library = library
    this.#turns = turns
    this.#devices = new DeviceChoice(context.engine)
    this.#questions = new QuestionStore(context.db)
    this.#prompts = new PromptStore(context.db)
    this.#process = new PlaygroundProcess(context, () => this.#announce())
    this.#answers = new PlaygroundAnswers(context, library, this.#process)
    // What a run needs of memory is not held by models that nobody asks anything.
    turns.beforeRun = async () => {
      if (!this.#process.isBusy) await this.#process.end()
    }
    library.beforeLeaving.push(async ({ id, name, path }) => {
      for (const { question } of this.#live.values())
        if (question.answers.some(({ checkpointId }) => checkpointId === id))
          throw new ProblemError('in-use', `${name} answers a question in the playground: stop that first.`)
      await this.#process.release(path)
    })
    turns.releasableBytes = () => (this.#process.isBusy ? 0 : (this.#process.state.memoryBytes ?? 0))
  }

  readonly handlers: Handlers<keyof Handlers & `playground.${string}`> = {
    'playground.state': () => this.#state(),
    'playground.ask': (asked) => this.#ask(asked),
    'playground.get': ({ id }) => this.#get(id),
    'playground.cancel': ({ id }) => {
      this.#live.get(id)?.abort.abort()
      return undefined
    },
    'playground.now': ({ id }) => {
      this.#live.get(id)?.turn?.now()
      return undefined
    },
    'playground.release': async () => {
      for (const { abort } of this.#live.values()) abort.abort()
      await Promise.all(this.#settling)
      await this.#process.end()
      return undefined
    },
    'playground.beside': (of) =>
      'run' in of
        ? besideOfRun(this.#context, rowOf(this.#context, of.run))
        : besideOf(this.#context, this.#library.row(of.checkpoint)),
    'playground.history': () =>
      this.#questions.all().map(({ id, asked, mode, said, answers }) => ({
        id,
        asked,
        mode,
        text: said.at(-1)!.slice(0, 300),
        checkpoints: [...new Set(answers.map(({ checkpointName }) => checkpointName))],
      })),
    'playground.forget': ({ ids }) => {
      for (const [id, { abort }] of this.#live) if (!ids || ids.includes(id)) abort.abort()
      this.#questions.remove(ids)
      return undefined
    },
    'playground.prompts': () => this.#prompts.all(),
    'playground.savePrompt': (prompt) => this.#save(prompt),
    'playground.removePrompt': ({ id }) => {
      this.#prompts.remove(id)
      return undefined
    },
  }

  async close(): Promise<void> {
    for (const { abort } of this.#live.values()) abort.abort()
    await this.#process.close()
    await Promise.all(this.#settling)
  }

  #ask(asked: ParsedRequest<'playground.ask'>): Question {
    const question = this.#questionOf(asked)
    const live: Live = { question, abort: new AbortController(), turn: null }
    this.#live.set(question.id, live)
    const answered = this.#answer(live).finally(() => {
      this.#live.delete(question.id)
      this.#settling.delete(answered)
    })
    this.#settling.add(answered)
    this.#context.inBackground(answered)
    return structuredClone(question)
  }

  /** The question with its place in the history: a new one, or the chat that goes on. */
  #questionOf({ follows, text, checkpoints, runners, ...rest }: ParsedRequest<'playground.ask'>): Question {
    const asked = Date.now()
    if (follows === undefined) {
      if (rest.mode === 'chat' && text.trim() === '')
        throw new ProblemError('bad-setting', 'Say something to the model.', { field: 'text' })
      const answers = checkpoints.map((id, column) =>
        emptyAnswer(id, this.#library.row(id).name, { runner: runners[column] }),
      )
      return this.#questions.add({ ...rest, asked, said: [text], answers })
    }
    if (this.#live.has(follows)) throw new ProblemError('conflict', 'The last answers are still being written.')
    const earlier = this.#get(follows)
    const same = earlier.answers.map(({ checkpointId }) => checkpointId).join() === checkpoints.join()
    if (earlier.mode !== 'chat' || rest.mode !== 'chat' || !same)
      throw new ProblemError('conflict', 'A chat goes on with the same checkpoints: begin a new one.')
    const question: Question = {
      ...rest,
      id: follows,
      asked,
      said: [...earlier.said, text],
      answers: earlier.answers.map(({ checkpointId, checkpointName, texts }, column) =>
        emptyAnswer(checkpointId, checkpointName, { runner: runners[column], before: texts }),
      ),
    }
    this.#questions.put(question)
    return question
  }

  async #answer(live: Live): Promise<void> {
    const { question, abort } = live
    const { signal } = abort
    let release: (() => void) | undefined
    try {
      // Whoever asks hears the question's id before anything of its answers.
      await setImmediate()
      const device = await this.#devices.named(this.#context.settings().device)
      signal.throwIfAborted()
      live.turn = this.#turns.takeForQuestion(device, signal)
      this.#announce()
      release = await live.turn.granted
      live.turn = null
      this.#announce()
      await this.#process.use(() => this.#answers.answer(question, signal))
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      live.turn = null
      release?.()
      for (const [column, { state }] of question.answers.entries())
        if (unfinished.includes(state)) this.#answers.change(question, column, { state: 'cancelled' })
      if (this.#context.db.open) this.#questions.put(question)
      this.#announce()
    }
  }

  #get(id: number): Question {
    const live = this.#live.get(id)
    if (live) return structuredClone(live.question)
    const question = this.#questions.get(id)
    if (!question) throw notFound('question', id)
    // The app ended while they were written.
    const answers = question.answers.map((answer) =>
      unfinished.includes(answer.state) ? { ...answer, state: 'cancelled' as const } : answer,
    )
    return { ...question, answers }
  }

  #save(prompt: Omit<SavedPrompt, 'id'>): SavedPrompt {
    const known = this.#prompts.named(prompt.name)
    if (known) {
      this.#prompts.update(known.id, prompt)
      return { ...prompt, id: known.id }
    }
    if (this.#prompts.all().length >= mostKept.prompts)
      throw new ProblemError('conflict', `${mostKept.prompts} prompts are kept: remove one of them first.`)
    return { ...prompt, id: this.#prompts.insert(prompt) }
  }

  #state(): PlaygroundState {
    const waiting = [...this.#live.values()].flatMap(({ question, turn }) => {
      const run = turn?.run()
      if (run === undefined) return []
      const row = run === null ? undefined : this.#context.runs.get(run)
      return [{ question: question.id, run: row ? { id: row.id, name: row.name } : null }]
    })
    return { ...this.#process.state, waiting }
  }

  #announce(): void {
    this.#context.emit('playground', this.#state())
  }
}

const emptyAnswer = (
  checkpointId: number,
  checkpointName: string,
  { runner = { runner: 'auto' }, before = [] }: { runner?: RunnerChoice | undefined; before?: readonly string[] },
): PlaygroundAnswer => ({
  checkpointId,
  checkpointName,
  runner,
  state: 'waiting',
  texts: [...before, ''],
  loaded: null,
  problem: null,
  facts: null,
})
