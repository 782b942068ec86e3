import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type EngineEvent, jobSchema, type ResultEvent } from '../../../engine/contract/index.ts'
import { runJob } from '../../../engine/jobs/index.ts'
import { data, needsData } from '../../unit/evaluation/shared.ts'

let folder = ''
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'secateur-run-'))
})
after(() => rm(folder, { recursive: true }))

const run = (job: object, emit: (event: EngineEvent) => void = () => {}): Promise<ResultEvent> =>
  runJob(jobSchema.parse(job), { emit, signal: new AbortController().signal, resume: false })

test('an adapter learns its text, and scores the same applied or merged', needsData, async () => {
  const text = join(folder, 'text.txt')
  writeFileSync(text, 'The small red boat sails over the quiet lake to a green island.\n'.repeat(40))
  const checkpoint = data('stories260K')
  const machine = { device: 'onnx', threads: 1 }
  const training = { data: [text], batchSize: 2, sequenceLength: 64, steps: 15, learningRate: 1e-2 }
  const tuned = await run({ kind: 'finetune', checkpoint, out: join(folder, 'run'), ...machine, ...training })
  const adapter = tuned.adapter!
  const merged = await run({ kind: 'merge', checkpoint, adapter, out: join(folder, 'merged') })
  const evaluation = { perplexity: { boat: text }, window: 64 }
  const scoreOf = async (model: object) => {
    const { perplexity } = await run({ kind: 'evaluate', ...machine, evaluation, ...model })
    return perplexity!.boat!.value
  }
  const untuned = await scoreOf({ checkpoint })
  const applied = await scoreOf({ checkpoint, adapter })
  const whole = await scoreOf({ checkpoint: merged.checkpoint })
  assert.ok(applied < untuned / 2, `perplexity only fell from ${untuned} to ${applied}`)
  assert.ok(Math.abs(whole / applied - 1) < 1e-4, `${whole} merged is not ${applied} applied`)
})

test(
  'rows that are lost are told as a warning and in the result, and refused where they are too many',
  needsData,
  async () => {
    const file = join(folder, 'long.jsonl')
    const rows = ['long '.repeat(60), 'A', 'B'].map((prompt) => ({ prompt, completion: 'yes' }))
    writeFileSync(file, rows.map((row) => JSON.stringify(row)).join('\n'))
    const training = { data: [file], packing: 'pad', sequenceLength: 64, batchSize: 1, steps: 1, frequency: 1 }
    const machine = { checkpoint: data('stories260K'), device: 'onnx', threads: 1 }
    for (const kind of ['finetune', 'prune']) {
      const { frequency, ...others } = training
      const job = { kind, ...machine, ...others, ...(kind === 'prune' ? { frequency } : {}) }
      const warnings: string[] = []
      const result = await run({ ...job, out: join(folder, kind) }, (event) => {
        if (event.type === 'warning') warnings.push(event.message)
      })
      const { needed, longest, ...counts } = result.data!
      const expected = { rows: 3, documents: 2, blank: 0, unanswered: 0, cut: 1, dropped: 1, skipped: 0 }
      assert.deepEqual(counts, expected, kind)
      const warning = warnings.find((message) => message.includes('of 3 rows'))!
      assert.match(warning, /left out 1 longer than 64 tokens, with no answer left to learn/)
      assert.ok(needed > 64 && longest > needed)
      assert.ok(
        warning.includes(`--sequence-length ${needed} would leave out none, ${longest} would cut none`),
        warning,
      )
      await assert.rejects(
        run({ ...job, maxLostRows: 0.2, out: join(folder, `${kind}-2`) }),
        /33% of the rows would be lost/,
      )
    }
  },
)
