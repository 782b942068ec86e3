// Tasks of one checkpoint beside lm-evaluation-harness on transformers: the same rows, turn by turn on the same threads.
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import environment from '../../resources/engine-environment.json' with { type: 'json' }
import { sample } from '../e2e/secateur.ts'
import { cutRows, officialFiles, sampleFiles } from '../judges/lm-eval.ts'
import { writeArcAsMmlu } from './arc-as-mmlu.ts'
import { pythonOfJudges } from './peers.ts'
import { flagsOf, median, start, takeTurns } from './workers.ts'

const { values } = parseArgs({
  options: {
    checkpoint: { type: 'string', default: sample('model') },
    /** Of each task, or of each subject. */
    rows: { type: 'string', default: '20' },
    /** Requests that the harness puts into one batch. */
    batch: { type: 'string', default: '8' },
    repeats: { type: 'string', default: '3' },
    threads: { type: 'string', default: String(availableParallelism()) },
    /** Questions of ARC as MMLU asks its own, after five solved ones, in place of the seven tasks. */
    mmlu: { type: 'boolean', default: false },
    /** One with torch, transformers and lm_eval; that of the judges unless given. */
    python: { type: 'string' },
  },
})
const folder = mkdtempSync(join(tmpdir(), 'secateur-evaluation-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
const asked = values.mmlu ? askedOfMmlu() : askedOfSeven()
const rows = String(asked.rows)
const { checkpoint, threads, batch } = values
const at = (file: string) => join(import.meta.dirname, file)
const common = { checkpoint, files: JSON.stringify(asked.files), rows, threads }

const workers = [
  await start('Secateur', process.execPath, [at('evaluation-worker.ts'), ...flagsOf(common)], environment),
]
const python = pythonOfJudges(values.python, 'lm-evaluation-harness')
if (python)
  workers.push(
    await start(
      'lm-evaluation-harness',
      python,
      [at('lm_eval_score.py'), ...flagsOf({ ...common, batch, 'few-shot': values.mmlu ? 5 : 0 })],
      {
        // Waiting threads of one worker must not take the cores of the one whose turn it is.
        OMP_WAIT_POLICY: 'passive',
      },
    ),
  )
const answers = await takeTurns(workers, Number(values.repeats))
console.log(`${rows} rows of ${asked.of}, ${threads} threads, median of ${values.repeats}\n`)
console.log('| program | rows/s | seconds | peak memory, MB |\n| --- | --- | --- | --- |')
const seconds = workers.map(({ name }) => {
  const all = answers.get(name)!
  const taken = median(all.map((answer) => answer.seconds))
  const memory = (all.at(-1)!.peakBytes / 1e6).toFixed(0)
  console.log(`| ${name} | ${(Number(rows) / taken).toFixed(1)} | ${taken.toFixed(1)} | ${memory} |`)
  return taken
})
if (python) console.log(`\nratio of speeds: ${(seconds[1]! / seconds[0]!).toFixed(2)}`)

function askedOfSeven() {
  const isPublished = Object.values(officialFiles).every((file) => existsSync(file))
  const files = Object.fromEntries(
    Object.entries(isPublished ? officialFiles : sampleFiles).map(([task, file]) => [
      task,
      cutRows(file, 0, Number(values.rows), join(folder, `${task}.jsonl`)),
    ]),
  )
  const total = Number(values.rows) * Object.keys(files).length
  return { files, rows: total, of: `seven ${isPublished ? 'published' : 'sample'} task files` }
}

function askedOfMmlu() {
  const arc = dirname(officialFiles.arc_challenge)
  if (!existsSync(arc)) {
    console.error(`--mmlu asks questions of ARC, whose files are not in ${arc}`)
    process.exit(2)
  }
  const written = writeArcAsMmlu(arc, Number(values.rows), folder)
  return { files: { mmlu: folder }, rows: written, of: 'ARC after five solved ones, as MMLU asks' }
}
