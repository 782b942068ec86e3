import {
  type Answer,
  type engine,
  mostColumns,
  type Question,
  type RunnerChoice,
} from '../../../../electron/contract/index.ts'
import { asProblem, call, onEvent, type Problem } from '../../client/index.ts'
import { router } from '../../router/router.svelte.ts'
import { attempt } from '../../state/attempt.ts'
import { type Column, columnOf, columnsText, distinct } from './columns.ts'
import { type Draft, draftOf, emptyDraft, type Entry, isOver, type Mode, queryOf, settingsOf } from './draft.ts'

/** What is asked and answered. It stays as it is while other screens are looked at. */
class Playground {
  columns = $state<Column[]>([])
  mode = $state<Mode>('prompt')
  system = $state('')
  text = $state('')
  draft = $state<Draft>(emptyDraft())
  /** What was asked last. */
  question = $state<Question>()
  /** Tokens of the last answers with what was told of them, by column. */
  pieces = $state<engine.WrittenPiece[][]>([])
  /** What could not be asked or read, and why. */
  problem = $state.raw<Problem>()
  asking = $state(false)
  state = $state.raw<Answer<'playground.state'>>()
  readonly busy = $derived(this.asking || (this.question?.answers.some((answer) => !isOver(answer)) ?? false))
  /** Whether what is shown is a chat that can go on. */
  readonly goesOn = $derived(
    this.mode === 'chat' &&
      this.question?.mode === 'chat' &&
      this.question.answers.map(({ checkpointId }) => checkpointId).join() === idsOf(this.columns).join(),
  )
  readonly waitsFor = $derived(this.state?.waiting.find(({ question }) => question === this.question?.id))
  #listens = false

  /** Hears of answers from now on. */
  listen(): void {
    if (this.#listens) return
    this.#listens = true
    onEvent('playground', (state) => (this.state = state))
    onEvent('answer', ({ question, column, answer }) => {
      if (this.question?.id === question) this.question.answers[column] = answer
    })
    onEvent('answerText', ({ question, column, pieces }) => {
      const answer = this.question?.id === question ? this.question.answers[column] : undefined
      if (!answer) return
      for (const { text } of pieces) answer.texts[answer.texts.length - 1] += text
      if (pieces.some(({ logProbability }) => logProbability !== undefined)) this.pieces[column]?.push(...pieces)
    })
  }

  /** Reads again what may have been missed, as after a lost connection. */
  async read(): Promise<void> {
    this.state = await call('playground.state').catch(() => this.state)
    const id = this.question?.id
    if (id === undefined) return
    const question = await call('playground.get', { id }).catch(() => undefined)
    if (question && this.question?.id === id) this.question = question
  }

  /** Shows what an address names. */
  async enter(entry: Entry): Promise<void> {
    if (entry === null) return this.#address()
    try {
      if ('question' in entry) {
        if (entry.question !== this.question?.id) await this.open(entry.question)
      } else {
        if ('columns' in entry) {
          if (columnsText(entry.columns) !== columnsText(this.columns)) this.choose(entry.columns)
        } else {
          const ids = await call('playground.beside', entry.beside)
          if (ids.join() !== idsOf(this.columns).join()) this.choose(ids.map((id) => this.#columnOf(id)))
        }
      }
    } catch (error) {
      this.problem = asProblem(error)
    }
    this.#address()
  }

  /** Shows a question of the history, as it was asked. */
  async open(id: number): Promise<void> {
    const question = await call('playground.get', { id })
    this.question = question
    this.pieces = question.answers.map(() => [])
    this.columns = question.answers.map(columnOf)
    this.mode = question.mode
    this.system = question.system
    this.draft = draftOf(question.settings)
    this.text = question.mode === 'prompt' ? (question.said[0] ?? '') : ''
    this.problem = undefined
    this.#address()
  }

  /** Answers that are shown belong to other checkpoints then. */
  choose(columns: readonly Column[]): void {
    this.columns = distinct(columns).slice(0, mostColumns)
    this.clear()
  }

  /** Has another checkpoint answer in a column, or beside all; what runs it stays where it answers already. */
  chooseAt(at: number, checkpoint: number): void {
    this.choose(this.columns.toSpliced(at, 1, this.#columnOf(checkpoint)))
  }

  leaveOut(at: number): void {
    this.choose(this.columns.toSpliced(at, 1))
  }

  /** What was answered stays: the next answer comes from what is chosen now. */
  runOn(at: number, runner: RunnerChoice): void {
    this.columns[at]!.runner = runner
    this.#address()
  }

  #columnOf(checkpoint: number): Column {
    const known = this.columns.find((column) => column.checkpoint === checkpoint)
    return { checkpoint, runner: known?.runner ?? { runner: 'auto' } }
  }

  setMode(mode: Mode): void {
    this.mode = mode
    this.clear()
  }

  /** Leaves what was asked to the history. */
  clear(): void {
    this.question = undefined
    this.pieces = []
    this.problem = undefined
    this.#address()
  }

  async ask(): Promise<void> {
    if (this.busy || this.columns.length === 0) return
    const { columns, mode, system, text } = this
    const follows = this.goesOn ? this.question?.id : undefined
    this.asking = true
    this.problem = undefined
    try {
      const settings = settingsOf(this.draft)
      const checkpoints = idsOf(columns)
      const runners = columns.map(({ runner }) => ({ ...runner }))
      const asked = { mode, system: mode === 'chat' ? system : '', text, checkpoints, runners, settings }
      const question = await call('playground.ask', { ...asked, ...(follows !== undefined && { follows }) })
      this.pieces = question.answers.map(() => [])
      this.question = question
      if (mode === 'chat') this.text = ''
      this.#address()
    } catch (error) {
      this.problem = asProblem(error)
    } finally {
      this.asking = false
    }
  }

  stop(): void {
    const id = this.question?.id
    if (id !== undefined) void attempt(() => call('playground.cancel', { id }))
  }

  answerNow(): void {
    const id = this.question?.id
    if (id !== undefined) void attempt(() => call('playground.now', { id }))
  }

  /** Puts what is shown into the address; one that is right already stays, since every change is heard as an entry. */
  #address(): void {
    const { route } = router
    if (route?.screen !== 'playground') return
    const wanted = queryOf(this.columns, this.question?.id)
    const differs = Object.entries(wanted).some(
      ([name, value]) => route.query.get(name) !== (value === null ? null : String(value)),
    )
    if (differs) router.setQuery(wanted)
  }
}

const idsOf = (columns: readonly Column[]): number[] => columns.map(({ checkpoint }) => checkpoint)

export const playground = new Playground()
