import { call, type Case, prune, short, small, text } from './case.ts'

/** Shapes of decoders that neither the sample nor the small checkpoint has. */
export const families: Case[] = ['qwen2', 'qwen3', 'mistral', 'llama3'].map((name) => {
  const start = `prune ../inputs/${name} ${text} ${short} --steps 6 --frequency 2 --calibration-rows 8`
  const score = '--perplexity heldout=../inputs/sample/heldout.txt --windows 4 --window 64'
  return {
    name: `family-${name}`,
    steps: [
      call(`inspect ../inputs/${name}`),
      call(`eval ../inputs/${name} ${score} --out dense`),
      call(start, '--out run'),
      call(start, '--criterion wanda --head-groups query-heads --out by-query-heads'),
      call(start, '--criterion gradient --activations recompute --out gradient'),
      call(start, '--criterion flap --out flap', name === 'llama3' ? '' : '--no-bias-compensation'),
      call(`eval run/output ${score} --out pruned`),
      call('generate run/output --tokens 12 --seed 2 --prompt', ['Question: who']),
      call('inspect run/output'),
    ],
  }
})

/** Layers that differ from each other, as a pruning that is not uniform leaves them. */
export const ragged: Case = {
  name: 'family-ragged',
  steps: [
    prune('--ranking global', 'ragged'),
    call('inspect ragged/output'),
    call('eval ragged/output --perplexity heldout=../inputs/sample/heldout.txt --windows 4 --out scores'),
    call('generate ragged/output --tokens 12 --greedy --prompt', ['Once upon a time']),
    call(small.replace('../inputs/small', 'ragged/output'), '--ratio 0.3 --out again'),
    call(`finetune ragged/output ${text} ${short} --steps 4 --out adapter`),
    call('merge ragged/output adapter/output --out merged'),
    prune('--head-groups query-heads --no-uniform', 'by-query-heads'),
    call('inspect by-query-heads/output'),
    call(
      small.replace('../inputs/small', 'by-query-heads/output'),
      '--head-groups query-heads --ratio 0.3 --out by-query-heads-again',
    ),
    prune('--criterion depth --schedule one-shot --ratio 0.4', 'depth'),
    call('inspect depth/output'),
    prune('--criterion flap --schedule one-shot', 'flap'),
    call(small.replace('../inputs/small', 'flap/output'), '--ratio 0.3 --out flap-again'),
  ],
}
