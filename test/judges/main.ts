// npm run judge: other programs load what Secateur writes, and must compute what it computes; docs/compatibility.md says so.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chooseBackend } from '../../engine/backends/choose.ts'
import type { FixtureName } from '../fixtures/read.ts'
import { writeCompatibility } from './compatibility.ts'
import { addTokenizer, judged, makeModel, makeText, withOldConfig } from './models.ts'
import { ids, targets, writeAnswers, writeSharded } from './ours.ts'
import { continuation, finetune, merge, perplexity, prune } from './outputs.ts'
import { judgePython, NoJudges, runPython } from './python.ts'
import { agrees, type Verdicts, verdictsSchema } from './verdicts.ts'

/** A file for a judge to load, and Secateur's own answers about it. */
interface Question {
  model: FixtureName
  what: string
  [field: string]: unknown
}

const named = process.argv.slice(2)
const unknown = named.filter((name) => !judged.some((known) => known === name))
if (unknown.length > 0) {
  console.error(`secateur: no models ${unknown.join(', ')}; there are ${judged.join(', ')}`)
  process.exit(2)
}
const models = judged.filter((name) => named.length === 0 || named.includes(name))
const work = mkdtempSync(join(tmpdir(), 'secateur-judge-'))
try {
  process.exitCode = (await judge(judgePython())) ? 0 : 1
} catch (error) {
  if (!(error instanceof NoJudges)) throw error
  console.log(`skipped: ${error.message}`)
} finally {
  rmSync(work, { recursive: true, force: true })
}

/** Whether all judges agree. */
async function judge(python: string): Promise<boolean> {
  await chooseBackend({ device: 'onnx', threads: 2 })
  const text = makeText(work)
  const bases = models.map((model) => ({
    model,
    what: 'its own',
    base: makeModel(model, work),
    saved: join(work, `${model}-saved`),
    adapter: join(work, `${model}-peft`),
  }))
  console.log('transformers writes each model, and peft an adapter for it')
  await ask(python, 'writers.py', bases)
  const checkpoints: Question[] = []
  const adapters: Question[] = []
  for (const { model, base, saved, adapter } of bases) {
    console.log(`secateur writes ${model}`)
    const own = await finetune(base, text, join(work, `${model}-finetuned`))
    // Linear layers that some families store together with others, which get no adapter.
    const some = await finetune(base, text, join(work, `${model}-some`), ['k', 'up'])
    checkpoints.push(...(await checkpointsOf(model, base, text, { saved, own, peft: adapter })))
    adapters.push(...adaptersOf(model, base, { Secateur: own, 'Secateur (k, up)': some, PEFT: adapter }))
  }
  console.log(`transformers reads ${checkpoints.length} checkpoints`)
  const ofCheckpoints = await ask(python, 'transformers_judge.py', checkpoints)
  console.log(`peft reads ${adapters.length} adapters`)
  const ofAdapters = await ask(python, 'peft_judge.py', adapters)
  const all = [...ofCheckpoints.verdicts, ...ofAdapters.verdicts]
  for (const verdict of all) console.log(`${agrees(verdict) ? 'agrees' : 'DIFFERS'} ${JSON.stringify(verdict)}`)
  // A page about some of the models would hide the others.
  if (named.length === 0) await writeCompatibility(ofCheckpoints, ofAdapters)
  return all.every(agrees)
}

/**
 * Every kind of checkpoint that Secateur reads and writes of a model.
 *
 * @param given the model as transformers saved it, and adapters of Secateur's and of PEFT's
 */
async function checkpointsOf(
  model: FixtureName,
  base: string,
  text: string,
  given: { saved: string; own: string; peft: string },
): Promise<Question[]> {
  const folder = (what: string) => join(work, `${model}-${what}`)
  addTokenizer(given.saved)
  const old = withOldConfig(base, folder('old-config'))
  const merged = await merge(base, given.own, folder('merged'))
  const pruned = await prune(base, text, folder('float32'), 'float32')
  const written: Record<string, string> = {
    'as it is': base,
    'saved by transformers 5, pruned': await prune(given.saved, text, folder('saved-pruned'), 'same'),
    ...(old ? { 'config of transformers 4, pruned': await prune(old, text, folder('old-pruned'), 'same') } : {}),
    merged,
    "PEFT's merged": await merge(base, given.peft, folder('merged-peft')),
    'pruned, float32': pruned,
    'pruned, float16': await prune(base, text, folder('float16'), 'float16'),
    'pruned, bfloat16': await prune(base, text, folder('bfloat16'), 'bfloat16'),
    'pruned, in shards': await writeSharded(pruned, folder('shards')),
  }
  const questions: Question[] = []
  for (const [what, checkpoint] of Object.entries(written)) {
    const answers = writeAnswers(folder(`${questions.length}.safetensors`), checkpoint)
    const question = { model, what, checkpoint, ids, answers }
    const scored = checkpoint === merged || checkpoint === pruned
    questions.push(
      scored
        ? { ...question, perplexity: await perplexity(checkpoint, text), continued: await continuation(checkpoint) }
        : question,
    )
  }
  return questions
}

function adaptersOf(model: FixtureName, base: string, adapters: Record<string, string>): Question[] {
  return Object.entries(adapters).map(([what, adapter]) => {
    const answers = writeAnswers(join(work, `${model}-${what}.safetensors`), base, adapter)
    return { model, what, base, adapter, ids, targets, answers }
  })
}

/** Lets a judge answer questions, all in one process. */
async function ask(python: string, script: string, questions: readonly Question[]): Promise<Verdicts> {
  const [asked, answered] = [join(work, 'questions.json'), join(work, 'verdicts.json')]
  writeFileSync(asked, JSON.stringify(questions))
  await runPython(python, script, [asked, answered])
  return verdictsSchema.parse(JSON.parse(readFileSync(answered, 'utf8')))
}
