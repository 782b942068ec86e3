import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FixtureName } from '../fixtures/read.ts'
import { makeModel, makeText } from './models.ts'
import { finetune } from './outputs.ts'
import { judgePython, runPython } from './python.ts'
import { type Verdicts, verdictsSchema } from './verdicts.ts'

/** A fixture with a tokenizer, and what other programs wrote of it. */
export interface Base {
  model: FixtureName
  folder: string
  /** The model as transformers saves it. */
  saved: string
  /** An adapter for it, as PEFT saves it. */
  adapter: string
}

/** A file for a judge to load, and Secateur's own answers about it. */
export interface Question {
  model: string
  what: string
  [field: string]: unknown
}

/** A folder of files that judges look at. Each is made when it is first asked for, and once. */
export class Workshop {
  readonly folder: string
  readonly #say: (what: string) => void
  readonly #made = new Map<string, unknown>()

  constructor(folder: string, say: (what: string) => void) {
    this.folder = folder
    this.#say = say
  }

  path(...parts: string[]): string {
    return join(this.folder, ...parts)
  }

  /** @throws NotHere where there is no Python for the judges. */
  get python(): string {
    return this.#once('python', () => judgePython(this.#say))
  }

  /** Held-out text in letters that the fixtures' tokenizer knows. */
  get text(): string {
    return this.#once('text', () => makeText(this.folder))
  }

  model(model: FixtureName): string {
    return this.#once(`model ${model}`, () => makeModel(model, this.folder))
  }

  /** The fixtures as other programs have them. */
  async bases(models: readonly FixtureName[]): Promise<Base[]> {
    return this.#once(`bases ${models.join()}`, async () => {
      const bases = models.map((model) => ({
        model,
        folder: this.model(model),
        saved: this.path(`${model}-saved`),
        adapter: this.path(`${model}-peft`),
      }))
      this.#say('transformers writes each model, and PEFT an adapter for it')
      const { verdicts } = await this.ask(
        'writers.py',
        bases.map(({ folder, ...base }) => ({ ...base, what: 'its own', base: folder })),
      )
      const failed = verdicts.find(({ error }) => error !== undefined)
      if (failed) throw new Error(`${failed.model} could not be written: ${failed.error}`)
      return bases
    })
  }

  /** Secateur's adapter of every linear layer of a model, or of some. */
  async adapter(model: FixtureName, modules: string[] = []): Promise<string> {
    const name = [model, 'finetuned', ...modules].join('-')
    return this.#once(name, () => finetune(this.model(model), this.text, this.path(name), modules))
  }

  /** Lets a judge of this folder answer questions, all in one process. */
  async ask(script: string, questions: readonly Question[]): Promise<Verdicts> {
    const [asked, answered] = [this.path('questions.json'), this.path('verdicts.json')]
    writeFileSync(asked, JSON.stringify(questions))
    await runPython(this.python, script, [asked, answered])
    return verdictsSchema.parse(JSON.parse(readFileSync(answered, 'utf8')))
  }

  #once<T>(name: string, make: () => T): T {
    if (!this.#made.has(name)) this.#made.set(name, make())
    return this.#made.get(name) as T
  }
}
