import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { Command } from 'commander'
import { collectAssignments, jobFrom, schemaOptions } from '../../../engine/entries/command-line/options.ts'
import { evaluateSchema, finetuneSchema, pruneSchema } from '../../../engine/contract/index.ts'
import { SecateurError } from '../../../engine/shared/errors.ts'

/** What a command with a schema's flags makes of arguments. */
function flagsOf(schema: Parameters<typeof schemaOptions>[0], args: string[]): object {
  const command = new Command().exitOverride().configureOutput({ writeErr: () => {} })
  for (const option of schemaOptions(schema, ['kind', 'checkpoint', 'evaluation'])) command.addOption(option)
  return command.parse(args, { from: 'user' }).opts()
}

const pruneFrom = (...args: string[]) =>
  jobFrom('prune', pruneSchema, { checkpoint: 'model' }, flagsOf(pruneSchema, args))
const needed = ['--data', 'a.txt', '--out', 'run']

const named = (run: () => unknown, flag: string, message: RegExp) =>
  assert.throws(run, (error) => {
    assert.ok(error instanceof SecateurError && error.kind === 'bad-setting', String(error))
    assert.equal(error.field, flag)
    assert.match(error.message, message)
    return true
  })

const scoring = (flags: object) => () => jobFrom('evaluate', evaluateSchema, { checkpoint: 'model' }, flags)

describe('flags become the job that the app would send', () => {
  test('defaults are those of the schema', () => {
    const sent = { kind: 'prune', checkpoint: 'model', data: ['a.txt'], out: 'run' }
    assert.deepEqual(pruneFrom(...needed), pruneSchema.parse(sent))
  })

  test('numbers, lists, choices and switches arrive as what they are', () => {
    const args =
      '--data a.txt,b.txt --data c.txt --out run --learning-rate 3e-4 --steps 60 --projections q,v --ranking global'
    const job = pruneFrom(...args.split(' '), '--no-uniform', '--int8', '--power', '2')
    assert.deepEqual(
      job,
      pruneSchema.parse({
        kind: 'prune',
        checkpoint: 'model',
        data: ['a.txt', 'b.txt', 'c.txt'],
        out: 'run',
        learningRate: 3e-4,
        steps: 60,
        projections: ['q', 'v'],
        ranking: 'global',
        uniform: false,
        int8: true,
        power: 2,
      }),
    )
  })

  test('a prompt is one text, commas and all', () => {
    const prompts = ['Once upon a time, there was', 'The', '']
    const flags = prompts.flatMap((prompt) => ['--sample-prompts', prompt])
    const job = pruneFrom(...needed, '--sample-every', '10', ...flags)
    assert.ok(job.kind === 'prune')
    assert.deepEqual([job.sampleEvery, job.samplePrompts], [10, prompts])
  })

  test('flags go before the job file, and what they leave alone stays', () => {
    const folder = mkdtempSync(join(tmpdir(), 'secateur-options-'))
    try {
      const file = join(folder, 'job.json')
      writeFileSync(file, JSON.stringify({ checkpoint: 'other', data: ['a.txt'], out: 'run', rank: 4, uniform: false }))
      const flags = { ...flagsOf(pruneSchema, ['--out', 'elsewhere']), job: file }
      const job = jobFrom('prune', pruneSchema, { checkpoint: undefined }, flags)
      assert.ok(job.kind === 'prune')
      assert.deepEqual(
        [job.checkpoint, job.data, job.out, job.rank, job.uniform],
        ['other', ['a.txt'], 'elsewhere', 4, false],
      )
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test("a training run's rows are those of a batch, an evaluation's are a file", () => {
    const training = pruneFrom(...needed, '--rows', '3')
    assert.ok(training.kind === 'prune' && training.rows === 3 && training.evaluation === undefined)
    const flags = { task: { piqa: 'p.jsonl' }, rows: 'out.jsonl', limit: 200 }
    const job = jobFrom('evaluate', evaluateSchema, { checkpoint: 'model' }, flags)
    assert.ok(job.kind === 'evaluate')
    const { tasks, rows, limit } = job.evaluation
    assert.deepEqual([tasks, rows, limit], [{ piqa: 'p.jsonl' }, 'out.jsonl', 200])
  })

  test('repeated NAME=FILE flags gather, and a file may hold an equals sign', () => {
    const collect = collectAssignments('task')
    assert.deepEqual(collect('b=d=e', collect('a=c', undefined)), { a: 'c', b: 'd=e' })
    for (const text of ['piqa', '=file', 'piqa=']) assert.throws(() => collect(text, undefined), /NAME=FILE/)
  })
})

describe('a setting that is wrong is named by its flag', () => {
  for (const [args, flag, message] of [
    [['--ratio', '2'], '--ratio', /0\.95/],
    [['--ratio', '0'], '--ratio', />0/],
    [['--steps', '1.5'], '--steps', /int/],
    [['--learning-rate', '-1'], '--learning-rate', />0/],
    [['--power', '3'], '--power', /./],
    [['--projections', 'q,w'], '--projections', /"up"/],
    [['--seed', '-1'], '--seed', />=0/],
  ] as const)
    test(args.join(' '), () => named(() => pruneFrom(...needed, ...args), flag, message))

  test('settings that are missing', () => {
    named(() => pruneFrom('--data', 'a.txt'), '--out', /is needed/)
    named(() => pruneFrom('--out', 'run'), '--data', /is needed/)
    named(() => jobFrom('finetune', finetuneSchema, {}, { data: ['a'], out: 'run' }), '<checkpoint>', /is needed/)
  })

  test('settings of the evaluation', () => {
    named(scoring({ window: 1 }), '--window', />=2/)
    named(scoring({ batchTokens: 0 }), '--batch-tokens', />=1/)
    named(scoring({ task: { chess: 'x' } }), '--task', /chess/)
  })

  test('words for numbers and unknown choices do not get past the parser', () => {
    for (const args of [
      ['--ratio', 'half'],
      ['--steps', ''],
      ['--seed', 'Infinity'],
      ['--ranking', 'best'],
      ['--ratoi', '0.5'],
    ])
      assert.throws(() => pruneFrom(...needed, ...args), new RegExp(args[0]!))
  })
})
