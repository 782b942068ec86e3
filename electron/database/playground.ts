import { mostKept, type Question, questionSchema, type SavedPrompt } from '../contract/index.ts'
import type { Connection } from './open.ts'
import { Table } from './table.ts'

interface QuestionRow {
  id: number
  asked: number
  /** What was asked and answered, as JSON. */
  question: string
}

/** Questions of the playground with their answers, the newest so many. */
export class QuestionStore {
  readonly #table: Table<QuestionRow>
  readonly #all
  readonly #cut
  readonly #remove
  readonly #clear

  constructor(db: Connection) {
    this.#table = new Table(db, 'questions')
    this.#all = db.prepare<[], QuestionRow>('SELECT * FROM questions ORDER BY asked DESC, id DESC')
    this.#cut = db.prepare<[number]>(
      'DELETE FROM questions WHERE id NOT IN (SELECT id FROM questions ORDER BY asked DESC, id DESC LIMIT ?)',
    )
    this.#remove = db.prepare<[string]>('DELETE FROM questions WHERE id IN (SELECT value FROM json_each(?))')
    this.#clear = db.prepare<[]>('DELETE FROM questions')
  }

  /** Newest first; one that this version cannot read is left out. */
  all(): Question[] {
    return this.#all.all().flatMap((row) => read(row) ?? [])
  }

  get(id: number): Question | undefined {
    const row = this.#table.get(id)
    return row && read(row)
  }

  /** @returns the question with its id */
  add(question: Omit<Question, 'id'>): Question {
    const id = this.#table.insert({ asked: question.asked, question: JSON.stringify(question) })
    this.#cut.run(mostKept.questions)
    return { ...question, id }
  }

  put({ id, ...question }: Question): void {
    this.#table.update(id, { asked: question.asked, question: JSON.stringify(question) })
  }

  remove(ids: readonly number[] | undefined): void {
    if (ids) this.#remove.run(JSON.stringify(ids))
    else this.#clear.run()
  }
}

const read = ({ id, question }: QuestionRow): Question | undefined =>
  questionSchema.safeParse({ ...(JSON.parse(question) as object), id }).data

/** Prompts that were kept under a name. */
export class PromptStore extends Table<SavedPrompt> {
  readonly #all
  readonly #byName

  constructor(db: Connection) {
    super(db, 'saved_prompts')
    this.#all = db.prepare<[], SavedPrompt>('SELECT * FROM saved_prompts ORDER BY name COLLATE NOCASE')
    this.#byName = db.prepare<[string], SavedPrompt>('SELECT * FROM saved_prompts WHERE name = ?')
  }

  all(): SavedPrompt[] {
    return this.#all.all()
  }

  named(name: string): SavedPrompt | undefined {
    return this.#byName.get(name)
  }
}
