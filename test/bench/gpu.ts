// npm run bench:gpu: `secateur bench` on the graphics card, and the same work in PyTorch where that finds a CUDA card.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { z } from 'zod'

const { values } = parseArgs({
  options: {
    shapes: { type: 'string', default: '1B,3B,7B' },
    scale: { type: 'string', default: '1' },
    rows: { type: 'string', default: '4' },
    length: { type: 'string', default: '512' },
    repeats: { type: 'string', default: '3' },
    int8: { type: 'boolean', default: false },
    python: { type: 'string', default: 'python3' },
    json: { type: 'boolean', default: false },
  },
})
const root = join(import.meta.dirname, '../..')
const shared = (['shapes', 'scale', 'rows', 'length', 'repeats'] as const).flatMap((name) => [
  `--${name}`,
  values[name],
])

const model = z.object({
  shape: z.string(),
  trainingTokensPerSecond: z.number(),
  scoringSeconds: z.number(),
  promptTokensPerSecond: z.number(),
  deviceBytes: z.number().nullable(),
})
const theirs = z.object({
  torch: z.string(),
  device: z.string(),
  models: z.array(model.extend({ compiled: z.boolean() })),
})

const run = (command: string, args: string[]) =>
  spawnSync(command, args, { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 26, stdio: ['ignore', 'pipe', 'inherit'] })

const flags = ['--device', 'webgpu', ...shared, ...(values.int8 ? ['--int8'] : []), '--json']
const own = run(process.execPath, [join(root, 'engine/entries/main.ts'), 'bench', ...flags])
if (own.status !== 0) {
  console.error(own.stdout)
  process.exit(own.status ?? 1)
}
const ours = z
  .looseObject({ models: z.array(z.looseObject(model.shape)) })
  .parse(JSON.parse(own.stdout.trim().split('\n').at(-1)!))
const torch = run(values.python, [join(root, 'test/bench/torch_cuda.py'), ...shared])
const beside = torch.status === 0 ? theirs.parse(JSON.parse(torch.stdout)) : null

if (values.json) console.log(JSON.stringify({ ours, torch: beside }))
else {
  console.log(JSON.stringify(ours, null, 2))
  if (!beside) console.log(`PyTorch with CUDA was not found at ${values.python}: no ratios`)
}
for (const { shape, compiled, ...other } of values.json ? [] : (beside?.models ?? [])) {
  const one = ours.models.find((candidate) => candidate.shape === shape)!
  console.log(
    `${shape} against PyTorch ${beside!.torch}${compiled ? ' compiled' : ''} on ${beside!.device}: training ${(one.trainingTokensPerSecond / other.trainingTokensPerSecond).toFixed(2)}, scoring ${(other.scoringSeconds / one.scoringSeconds).toFixed(2)}, prompts ${(one.promptTokensPerSecond / other.promptTokensPerSecond).toFixed(2)} times the speed`,
  )
}
