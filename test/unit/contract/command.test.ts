import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Command, Option } from 'commander'
import { argumentsOf, type Job, jobSchema, schemaOfKind, shellLine } from '../../../engine/contract/index.ts'
import { evaluationSchema } from '../../../engine/contract/evaluation.ts'
import { collectAssignments } from '../../../engine/entries/command-line/flag-values.ts'
import { jobFrom, schemaOptions } from '../../../engine/entries/command-line/options.ts'

/** The job that the command line makes of arguments. */
function parsed(kind: Job['kind'], [, ...args]: string[]): Job {
  const schema = schemaOfKind(kind)!
  const command = new Command().exitOverride().argument('[checkpoint]').argument('[adapter]')
  for (const option of schemaOptions(schema, ['kind', 'checkpoint', 'evaluation'])) command.addOption(option)
  if ('evaluation' in schema.shape) {
    for (const flag of ['task', 'perplexity'])
      command.addOption(new Option(`--${flag} <name=file>`).argParser(collectAssignments(flag)))
    for (const option of schemaOptions(evaluationSchema, ['tasks', 'perplexity']))
      if (!command.options.some(({ long }) => long === option.long)) command.addOption(option)
  }
  command.parse(args, { from: 'user' })
  const [checkpoint, adapter] = command.args
  return jobFrom(kind, schema, { checkpoint, ...(kind === 'merge' && { adapter }) }, command.opts())
}

const jobs: Record<string, object> = {
  'a pruning with its defaults': { kind: 'prune', checkpoint: 'm', data: ['a.txt'], out: 'run' },
  'a pruning with all kinds of settings': {
    kind: 'prune',
    checkpoint: 'my models/m',
    data: ['a.txt', "it's b.jsonl", 'c,d.txt', '-e'],
    calibrationData: ['one,two.txt'],
    out: 'run',
    ratio: 0.3,
    healing: false,
    schedule: 'one-shot',
    uniform: false,
    targetModules: ['q', 'down'],
    validation: 0.05,
    samplePrompts: ['- once, upon', 'a time'],
    sampleEvery: 10,
    evaluateDense: true,
    evaluation: {
      tasks: { piqa: 'p.jsonl', boolq: 'b.jsonl' },
      perplexity: { wikitext2: 'w.txt' },
      fewShot: 5,
      fewShotFrom: { piqa: 't.jsonl' },
      latency: true,
      prompts: ['Hello, world'],
    },
  },
  'a fine-tuning': {
    kind: 'finetune',
    checkpoint: 'm',
    data: ['a.txt'],
    out: 'run',
    learningRate: 1e-7,
    validation: 'v.txt',
  },
  'a merge': { kind: 'merge', checkpoint: 'm', adapter: 'a', out: 'o', outputDtype: 'float16' },
  'an evaluation': {
    kind: 'evaluate',
    checkpoint: 'm',
    compareWith: 'd',
    evaluation: { tasks: { piqa: 'p' }, limit: 5 },
  },
}

for (const [what, given] of Object.entries(jobs))
  test(`${what} is the same job as a command line`, () => {
    const job = jobSchema.parse(given) as Job
    assert.deepEqual(parsed(job.kind, argumentsOf(job)!), job)
  })

test('what stands at its default is left out, and a shell reads the line as it is meant', () => {
  const job = jobSchema.parse(jobs['a pruning with its defaults']) as Job
  assert.equal(shellLine(argumentsOf(job)!), 'prune m --out run --data a.txt')
  assert.equal(shellLine(["it's", 'a b', '$x', '']), String.raw`'it'\''s' 'a b' '$x' ''`)
})

test('lengths of prompts are left out where speed is not measured', () => {
  for (const [latency, flags] of [
    [false, []],
    [true, ['--latency', '--latency-lengths', '8,32']],
  ] as const) {
    const evaluation = { latency, latencyLengths: [8, 32] }
    const job = jobSchema.parse({ kind: 'evaluate', checkpoint: 'm', evaluation }) as Job
    assert.deepEqual(argumentsOf(job), ['eval', 'm', ...flags])
  }
})

test('what flags cannot say has no command line', () => {
  const base = { checkpoint: 'm', out: 'run' }
  const sweep = { kind: 'sweep', ...base, base: { data: ['a'] }, values: { ratio: [0.2, 0.5] } }
  assert.equal(argumentsOf(jobSchema.parse(sweep) as Job), null)
})
