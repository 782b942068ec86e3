// npm run bench:memory: the peak memory of real runs, each in a process of its own, beside what the engine said it would be.
// Peaks of one command differ by up to 15 %, by when garbage is collected: each is run several times, and the highest counts.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import {
  argumentsOf,
  type Case,
  casesOf,
  jobNames,
  type JobName,
  type Precision,
  precisionNames,
  precisions,
} from './cases.ts'
import { type SizeName, sizeNames, writeRandomCheckpoint } from './models.ts'
import { type Peak, peakOf } from './peak.ts'

const names = (list: readonly string[]) => ({ type: 'string', default: list.join(',') }) as const
const { values } = parseArgs({
  options: {
    // The largest takes hours in all precisions and jobs: it is measured where it is asked for.
    models: names(['sample', ...sizeNames.filter((name) => name !== '1.1B')]),
    precisions: names(precisionNames),
    jobs: names(jobNames.map((job) => job.replace(', ', '+'))),
    repeats: { type: 'string', default: '3' },
    json: { type: 'boolean', default: false },
  },
})
const listed = <Name extends string>(text: string): Name[] =>
  text.split(',').map((name) => name.replace('+', ', ') as Name)

const sampleModel = join(import.meta.dirname, '../../../resources/sample/model')
const folder = mkdtempSync(join(tmpdir(), 'secateur-memory-'))
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

const repeats = Number(values.repeats)
if (!(Number.isInteger(repeats) && repeats > 0)) throw new TypeError('--repeats takes a whole number of at least 1')
const columns = ['model', 'weights', 'job', 'batch', 'said, MB', 'highest, MB', 'lowest, MB', 'said / highest']
if (!values.json) console.log(`| ${columns.join(' | ')} |\n| ${columns.map(() => '---').join(' | ')} |`)
const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0)
const ratios: number[] = []
for (const model of listed<SizeName | 'sample'>(values.models))
  for (const precision of listed<Precision>(values.precisions)) {
    const cases = casesOf(model, precision, listed<JobName>(values.jobs))
    if (cases.length > 0) await measureAll(model, precision, cases)
  }
ratios.sort((one, other) => one - other)
const wrong = ratios.filter((ratio) => ratio < 1 || ratio > 1.25).length
console.error(
  `${ratios.length} runs, from ${ratios[0]?.toFixed(2)} to ${ratios.at(-1)?.toFixed(2)}; ${wrong} not from 1 to 1.25`,
)
process.exitCode = wrong > 0 ? 1 : 0

async function measureAll(model: Case['model'], precision: Precision, cases: readonly Case[]): Promise<void> {
  const checkpoint = model === 'sample' ? sampleModel : join(folder, 'model')
  const folders = { checkpoint, adapter: join(folder, 'tuned/output'), out: join(folder, 'out') }
  if (model !== 'sample') await writeRandomCheckpoint(checkpoint, model, precisions[precision].dtype)
  if (cases.some(({ job }) => job === 'merge')) {
    const tuning: Case = { model, precision, job: 'finetune', batch: '1 x 64' }
    await peakOf(argumentsOf(tuning, { ...folders, out: join(folder, 'tuned') }))
  }
  for (const each of cases) {
    const peaks: Peak[] = []
    for (let run = 0; run < repeats; run++) {
      if (each.job === 'export') mkdirSync(folders.out)
      // Each writes its own file for llama.cpp.
      const cache = join(folder, 'cache')
      peaks.push(await peakOf(argumentsOf(each, folders), { XDG_CACHE_HOME: cache }))
      for (const used of [cache, folders.out]) rmSync(used, { recursive: true, force: true })
    }
    report(each, peaks)
  }
  for (const used of ['model', 'tuned']) rmSync(join(folder, used), { recursive: true, force: true })
}

function report({ model, precision, job, batch }: Case, peaks: readonly Peak[]): void {
  const measured = peaks.map((peak) => peak.measured)
  const [highest, lowest] = [Math.max(...measured), Math.min(...measured)]
  const { said } = peaks[0]!
  const ratio = said / highest
  ratios.push(ratio)
  if (values.json) return console.log(JSON.stringify({ model, precision, job, batch, said, measured }))

  const cells = [model, precision, job, batch ?? '', ...[said, highest, lowest].map(megabytes), ratio.toFixed(2)]
  console.log(`| ${cells.join(' | ')} |`)
}
