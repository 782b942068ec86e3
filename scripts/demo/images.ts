import { join, relative } from 'node:path'
import type { ResultEvent } from '../../engine/contract/index.ts'
import { megabytes, number, percent, printTable, root, runFolder, secateur, sizeOf } from './secateur.ts'

const sample = join(root, 'resources/sample-vit')
const settings =
  '--ratio 0.5 --batch-size 32 --seed 1 --rank 16 --alpha 32 --learning-rate 2e-3 --dropout 0 --augmentation flip'

/** The classifier of the sample of images: dense, pruned at once, and pruned while what is left is trained. */
export async function demo(): Promise<void> {
  const dense = join(sample, 'model')
  const run = runFolder('demo-vision')
  const prune = (title: string, out: string, more: string) => {
    const args = ['prune', dense, '--data', sample, '--out', out, ...settings.split(' '), ...more.split(' ')]
    return secateur(title, args)
  }
  const score = (title: string, checkpoint: string) => secateur(title, ['eval', checkpoint, '--images', sample])
  const before = await score('scoring the dense model', dense)
  await prune(
    'pruning half of all heads and channels at once, without healing',
    `${run}-not-healed`,
    '--schedule one-shot --no-healing',
  )
  const hurt = await score('scoring it', join(`${run}-not-healed`, 'output'))
  const pruned = await prune(
    'pruning half of all heads and channels with LoRAPrune, healing on the way',
    run,
    '--steps 300',
  )
  const after = await score('scoring it', join(run, 'output'))
  const all = (value: (result: ResultEvent) => string) => [before, hurt, after].map(value)
  const { parameters } = pruned
  const sizes = [dense, join(`${run}-not-healed`, 'output'), join(run, 'output')].map((folder) =>
    megabytes(sizeOf(folder)),
  )
  printTable([
    ['', 'dense', 'pruned, not healed', 'pruned and healed'],
    ['parameters', number(parameters!.before), number(parameters!.after), number(parameters!.after)],
    ['size on disk', ...sizes],
    ['top-1', ...all(({ classification }) => percent(classification!.top1, classification!.stderr))],
    ['top-5', ...all(({ classification }) => percent(classification!.top5, null))],
    ['images/s', ...all(({ classification }) => number(Math.round(classification!.imagesPerSecond ?? 0)))],
    ['peak memory, scoring', ...all(({ peakMemoryBytes }) => megabytes(peakMemoryBytes!))],
  ])
  console.log(`\npeak memory of the pruning run: ${megabytes(pruned.peakMemoryBytes!)}`)
  console.log(`run folder: ${relative(process.cwd(), run)} (the smaller checkpoint is in its output/)`)
}
