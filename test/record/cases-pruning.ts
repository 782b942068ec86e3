import { call, type Call, type Case, prune, short, small, text } from './case.ts'

const pruning = (name: string, flags: string): Case => ({ name: `prune-${name}`, steps: [prune(flags)] })

/** The ten criteria. */
export const criteria: Case[] = [
  ...['loraprune', 'random', 'magnitude', 'movement', 'gradient', 'wanda', 'flap', 'depth'].map((name) =>
    pruning(name, `--criterion ${name}`),
  ),
  ...['magnitude-unstructured', 'wanda-unstructured'].map((name) =>
    pruning(name, `--criterion ${name} --schedule one-shot`),
  ),
]

/** What else a pruning can be told. */
export const variants: Case[] = [
  pruning('query-heads', '--head-groups query-heads'),
  pruning('global', '--ranking global --floor 0.2'),
  pruning('not-uniform', '--no-uniform --protect-first 0.3 --protect-last 1'),
  pruning('int8', '--int8'),
  pruning('keep', '--activations keep --dropout 0'),
  pruning('recompute', '--activations recompute'),
  pruning('documents', '--dropout 0.2 --packing pack-documents'),
  pruning('padded', '--packing pad --train-on everything'),
  pruning('power', '--power 2 --normalise none'),
  pruning('fraction', '--target-fraction 0.7'),
  pruning('float16', '--dtype float16'),
  pruning('bfloat16', '--dtype bfloat16'),
  pruning('at-once', '--schedule one-shot'),
  pruning('not-healed', '--schedule one-shot --no-healing'),
  pruning('iterative-not-healed', '--no-healing'),
  ...['mean', 'max', 'product', 'last'].map((name) => pruning(`reduction-${name}`, `--reduction ${name}`)),
  pruning('schedule', '--rounding down --prune-warm-up 0.25 --prune-cool-down 0.25 --lambda 0.5'),
  pruning('multiple', '--channel-multiple 4 --ratio 0.3'),
  pruning('projections', '--projections q v down --rank-stabilised --rank 4'),
  pruning('accumulation', '--accumulation 2 --weight-decay 0.1 --decay linear --warm-up 0.3 --clip-norm 0.5'),
  pruning('magnitude-norm', '--criterion magnitude --norm l2 --weights base'),
  pruning('movement-weights', '--criterion movement --movement-gradients weights'),
  pruning('gradient-mixed', '--criterion gradient --gradient-form mixed'),
  pruning('gradient-vector', '--criterion gradient --gradient-form vector-wise'),
  pruning('gradient-global', '--criterion gradient --ranking global'),
  pruning('flap-no-biases', '--criterion flap --no-bias-compensation'),
  pruning('flap-global', '--criterion flap --ranking global --schedule one-shot --no-healing'),
  pruning('depth-at-once', '--criterion depth --schedule one-shot --ratio 0.4'),
  pruning('wanda-query-heads', '--criterion wanda --head-groups query-heads'),
  pruning(
    'calibrated',
    '--criterion wanda --schedule one-shot --no-healing --calibration ../inputs/web.jsonl ../inputs/wiki.txt ' +
      '--calibration-shares 0.7 0.3 --calibration-length 48',
  ),
  pruning('zeros', '--criterion wanda-unstructured --schedule one-shot --no-healing --ratio 0.6'),
  {
    name: 'prune-samples',
    steps: [
      call(
        small,
        '--sample-every 4 --sample-tokens 12 --out run --sample-prompts',
        ['Once upon a time', 'The old man'],
        '--evaluate-dense --perplexity heldout=../inputs/sample/heldout.txt --windows 6 --window 64',
        '--task piqa=../inputs/tasks/piqa.jsonl --limit 10',
      ),
    ],
  },
]

/** A run that is stopped, or killed, and goes on must come to what it comes to in one piece. */
export const resumed: Case[] = [
  ['loraprune', 'saved', 'SIGINT', '--criterion loraprune'],
  ['loraprune', 'step', 'SIGINT', '--criterion loraprune'],
  ['loraprune', 'saved', 'SIGKILL', '--criterion loraprune'],
  ['movement', 'step', 'SIGINT', '--criterion movement'],
  ['flap', 'step', 'SIGINT', '--criterion flap'],
  ['wanda-unstructured', 'step', 'SIGINT', '--criterion wanda-unstructured --schedule one-shot'],
].map(([of, after, signal, flags]): Case => {
  const stop = { after, step: after === 'saved' ? 5 : 7, signal } as Call['stop'] & {}
  return {
    name: `resume-${of}-${after}-${signal!.toLowerCase()}`,
    steps: [{ ...prune(flags!), stop, exits: signal === 'SIGKILL' ? null : 130 }, prune(`${flags} --resume`)],
    repeats: `prune-${of}`,
  }
})

/** Settings that contradict each other or the checkpoint: they are refused as wrong settings. */
export const refused: Case = {
  name: 'refused',
  steps: [
    ['small', '--criterion wanda-unstructured'],
    ['llama3', '--criterion depth'],
    ['qwen2', '--criterion flap'],
    ['small', '--ranking global --head-groups query-heads'],
    ['small', '--criterion movement --reduction product'],
    ['small', '--ranking global --channel-multiple 4'],
    ['small', '--target-fraction 0.01'],
    ['small', '--criterion wanda --calibration ../inputs/wiki.txt --calibration-shares 0.5 0.5'],
  ].map(([model, flags]) => ({
    ...call(`prune ../inputs/${model} ${text} ${short} --steps 4 --out run`, flags!),
    exits: 2,
  })),
}
