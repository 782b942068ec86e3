import { call, type Case, short, text } from './case.ts'
import { sampleTaskFlags, taskFlags } from './inputs.ts'

const scoreSample = `${sampleTaskFlags} --limit 20 --perplexity wikitext2=../inputs/sample/heldout.txt --windows 40`
/** What `npm run demo` does, with a fifth of its steps and 20 rows of each task. */
export const demo: Case = {
  name: 'demo',
  steps: [
    call(`eval ../inputs/sample/model ${scoreSample} --latency --out dense --rows dense.jsonl`),
    call(
      `prune ../inputs/sample/model ${text} --ratio 0.5 --steps 60 --rows 8 --length 128 --seed 1 --rank 16 --alpha 32`,
      '--learning-rate 2e-3 --dropout 0 --out run',
    ),
    call(`eval run/output ${scoreSample} --out pruned --rows pruned.jsonl`),
  ],
}

const tune = `${short} --steps 8`
export const training: Case[] = [
  {
    name: 'finetune',
    steps: [
      call(`finetune ../inputs/small ${text} ${tune} --out run`),
      call('merge ../inputs/small run/output --out merged'),
      call('merge ../inputs/small run/output --dtype float16 --out merged-float16'),
      call('eval merged --perplexity heldout=../inputs/sample/heldout.txt --windows 8 --out merged-scores'),
      call(
        'eval ../inputs/small --adapter run/output --perplexity heldout=../inputs/sample/heldout.txt',
        '--windows 8 --out adapter-scores',
      ),
      call('measure ../inputs/small --adapter run/output', text, '--calibration-rows 4 --length 32 --rows 2'),
    ],
  },
  {
    name: 'finetune-conversations',
    steps: [
      call(
        'finetune ../inputs/sample/model --data ../inputs/sample/instructions.json --packing pad --rows 4 --length 96',
        '--steps 4 --seed 2 --sample-every 2 --sample-tokens 8 --out run --sample-prompts',
        ['Question: who'],
      ),
      call('merge ../inputs/sample/model run/output --out merged'),
    ],
  },
  {
    name: 'finetune-instructions',
    steps: [
      call(
        'finetune ../inputs/small --data ../inputs/alpaca.json --documents 60 --packing pack-documents --rows 2',
        '--length 128 --epochs 0.1 --int8 --accumulation 2 --rank-stabilised --projections q k v o --out run',
      ),
    ],
  },
]

const scoreSmall = `${taskFlags('../inputs/tasks')} --limit 20`
export const reading: Case[] = [
  {
    name: 'eval-zero-shot',
    steps: [
      call(
        `eval ../inputs/small ${scoreSmall} --perplexity wiki=../inputs/wiki.txt --windows 20 --window 256`,
        '--out run --rows rows.jsonl --prompt-tokens 16 --prompts',
        ['Once upon a time', 'Question: what is a tree?'],
      ),
    ],
  },
  {
    name: 'eval-few-shot',
    steps: [call(`eval ../inputs/small ${scoreSmall} --shots 2 --batch-tokens 1024 --out run --rows rows.jsonl`)],
  },
  {
    name: 'eval-legacy',
    steps: [
      call(
        `eval ../inputs/small ${scoreSmall} --mode legacy --perplexity wiki=../inputs/wiki.txt --windows 8`,
        '--out run --rows rows.jsonl',
      ),
    ],
  },
  {
    name: 'generate',
    steps: ['--greedy', '--seed 3', '--seed 4 --temperature 1.2 --top-p 0.8'].map((flags) =>
      call('generate ../inputs/small --tokens 24', flags, '--prompt', ['Once upon a time']),
    ),
  },
  {
    name: 'measure',
    steps: [
      call('measure ../inputs/small', text, '--calibration-rows 8 --length 64 --seed 1'),
      call('measure ../inputs/small', text, '--calibration-rows 8 --length 64 --head-groups query-heads --ratio 0.3'),
    ],
  },
  { name: 'inspect', steps: [call('inspect ../inputs/small'), call('inspect ../inputs/sample/model')] },
  {
    name: 'estimate',
    steps: [
      '',
      '--int8',
      '--activations recompute',
      '--target-fraction 0.6 --criterion gradient',
      '--criterion depth --ratio 0.4',
      '--ranking global --dtype float16',
    ].map((flags) => call(`prune ../inputs/sample/model ${text} --steps 20 --estimate --out run`, flags)),
  },
]

const sweepOf = (settings: object) => ({
  file: 'sweep.json',
  json: {
    kind: 'sweep',
    checkpoint: '../inputs/small',
    out: 'sweep',
    parallel: 1,
    base: {
      data: ['../inputs/sample/train.jsonl'],
      documents: 300,
      steps: 4,
      frequency: 1,
      device: 'onnx',
      threads: 1,
      evaluation: { perplexity: { heldout: '../inputs/sample/heldout.txt' }, windows: 4 },
    },
    ...settings,
  },
})
export const sweeps: Case[] = [
  {
    name: 'sweep',
    steps: [
      sweepOf({
        values: { seed: [1, 2], ratio: [0.25, 0.5] },
        variants: [{ criterion: 'loraprune' }, { criterion: 'magnitude', healing: false, schedule: 'one-shot' }],
      }),
      call('sweep sweep.json'),
    ],
  },
  { name: 'sweep-preset', steps: [sweepOf({ preset: 'memory' }), call('sweep sweep.json')] },
]
