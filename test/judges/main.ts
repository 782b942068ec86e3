// npm run judge [-- --only JUDGE...] [MODEL...]: other programs load what Secateur writes, and must compute what it computes;
// docs/compatibility.md says so.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { peftJudge } from './adapters.ts'
import { transformersJudge } from './checkpoints.ts'
import type { Finding, Judge, Judging } from './judge.ts'
import { llamaCppJudge } from './llama-cpp.ts'
import { lmEvalJudge } from './lm-eval.ts'
import { judged } from './models.ts'
import { NotHere } from './not-here.ts'
import { onnxJudge } from './onnx.ts'
import { type Outcome, writePage } from './page.ts'
import { quantisationJudge } from './quantisation.ts'
import { smollm2Judge } from './smollm2.ts'
import { templatesJudge } from './templates.ts'
import { visionJudge } from './vision.ts'
import { Workshop } from './workshop.ts'

/** In the order of the page. */
const judges: readonly Judge[] = [
  transformersJudge,
  peftJudge,
  visionJudge,
  lmEvalJudge,
  templatesJudge,
  llamaCppJudge,
  onnxJudge,
  smollm2Judge,
  quantisationJudge,
]

const started = performance.now()
const asked = readArguments()
const work = mkdtempSync(join(tmpdir(), 'secateur-judge-'))
try {
  process.exitCode = (await judgeAll()) ? 0 : 1
} finally {
  rmSync(work, { recursive: true, force: true })
}

/** Whether all judges that can be had agree. The page is written after each: a run that is ended keeps what it found. */
async function judgeAll(): Promise<boolean> {
  const workshop = new Workshop(work, say)
  const today = new Date().toISOString().slice(0, 10)
  const all = new Map<Judge, Outcome['found']>(
    judges.map((judge) => [judge, isAsked(judge) ? { without: 'it was ended before' } : 'not asked']),
  )
  let agree = true
  for (const judge of judges.filter(isAsked)) {
    const found = await ask(judge, { models: asked.models, workshop, say: (what) => say(`${judge.name}: ${what}`) })
    if ('failed' in found || ('agrees' in found && !found.agrees)) agree = false
    all.set(judge, found)
    // A page about some of the models would hide the others: what is found of them is said.
    if (asked.models.length === judged.length)
      await writePage(
        [...all].map(([{ title }, outcome]) => ({ title, found: outcome })),
        today,
      )
    else if ('text' in found) console.log(`\n## ${judge.title}\n\n${found.text}\n`)
  }
  return agree
}

function isAsked({ name }: Judge): boolean {
  return asked.only.length === 0 || asked.only.includes(name)
}

/** What a judge finds, or why it could not judge. */
async function ask(judge: Judge, judging: Judging): Promise<Finding | { without: string; failed?: true }> {
  try {
    const found = await judge.judge(judging)
    judging.say(found.agrees ? 'agrees' : 'DIFFERS')
    return found
  } catch (error) {
    if (error instanceof NotHere) {
      judging.say(`skipped: ${error.message}`)
      return { without: error.message }
    }
    judging.say(`FAILED: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
    return { without: 'it failed', failed: true }
  }
}

function say(what: string): void {
  const seconds = Math.round((performance.now() - started) / 1000)
  console.log(`${String(seconds).padStart(4)} s  ${what}`)
}

function readArguments() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { only: { type: 'string', multiple: true, default: [] } },
  })
  refuseUnknown(
    'judge',
    values.only,
    judges.map(({ name }) => name),
  )
  refuseUnknown('model', positionals, judged)
  const models = judged.filter((name) => positionals.length === 0 || positionals.includes(name))
  return { only: values.only, models }
}

function refuseUnknown(what: string, named: readonly string[], known: readonly string[]): void {
  const unknown = named.filter((name) => !known.includes(name))
  if (unknown.length === 0) return
  console.error(`secateur: there is no ${what} "${unknown.join('", "')}"; there are ${known.join(', ')}`)
  process.exit(2)
}
