import { cpSync, existsSync } from 'node:fs'
import { ggufType, type GgufType } from '../../engine/contract/export.ts'
import { fixtureModel, type FixtureName } from '../fixtures/read.ts'
import { sample, shared } from '../e2e/secateur.ts'
import type { Judging } from './judge.ts'
import { exportGguf, prune } from './outputs.ts'

/** A GGUF file that Secateur wrote, or why it wrote none. */
export interface GgufFile {
  model: string
  what: string
  /** How weights are stored, by llama.cpp's name: files of others may have types that Secateur only reads. */
  type: GgufType | 'q4_1'
  /** What it was written of. */
  checkpoint: string
  file?: string
  refused?: string
}

/** Fixtures of Llama's family that differ from others in nothing that a type of weights could show. */
const sameFamily: ReadonlySet<string> = new Set(['llama_mha', 'llama3_rope', 'llama_bf16', 'llama_f16'])
/** Fixtures of families whose layers that differ llama.cpp knows only filled up with zeros. */
const onlyPadded: ReadonlySet<string> = new Set([
  'qwen2_bias_tied',
  'qwen3_norm_headdim',
  'gemma3_text',
  'phi3_fused',
  'smollm3_nope',
])
const short = { outputDtype: 'float32', steps: 2 }
const sampleText = sample('heldout.txt')

/** Models in GGUF: as they are and pruned, layers alike and layers that differ in both layouts, in every type. */
export async function writeGgufFiles(judging: Judging): Promise<GgufFile[]> {
  const { workshop, say } = judging
  const files: GgufFile[] = []
  for (const [model, folder] of await wideModels(judging)) {
    say(`Secateur prunes ${model} and writes GGUF`)
    const path = (what: string) => workshop.path(`gguf-${model}-${what}`)
    const write = async (what: string, checkpoint: string, type: GgufType, layout?: 'deci' | 'padded') => {
      const written = await exportGguf(checkpoint, path(`${[what, type, layout].join('-')}.gguf`), type, {
        // llama.cpp looks closer.
        proof: false,
        ...(layout && { layout }),
      })
      files.push({ model, what: layout ? `${what}, ${layout}` : what, type, checkpoint, ...written })
    }
    await write('as it is', folder, 'f32')
    const pruned = await prune(folder, sampleText, path('pruned'), short)
    for (const type of sameFamily.has(model) ? (['f32'] as const) : ggufType.options)
      await write('pruned', pruned, type)
    const ragged = await prune(folder, sampleText, path('ragged'), { ...short, ranking: 'global' })
    for (const layout of onlyPadded.has(model) ? (['padded'] as const) : (['deci', 'padded'] as const))
      await write('ragged', ragged, 'f32', layout)
  }
  return files
}

/** Checkpoints by name: each fixture's architecture, wide enough for every block format, and models that were trained. */
async function wideModels({ models, workshop }: Judging): Promise<[string, string][]> {
  const wide = models.map((model: FixtureName) => ({ model, folder: workshop.path(`${model}-wide`) }))
  const { verdicts } = await workshop.ask(
    'wide_models.py',
    wide.map((question) => ({ ...question, what: 'wide', fixture: fixtureModel(question.model) })),
  )
  const failed = verdicts.find(({ error }) => error !== undefined)
  if (failed) throw new Error(`${failed.model} could not be made: ${failed.error}`)
  for (const { folder } of wide)
    for (const file of ['tokenizer.json', 'tokenizer_config.json']) cpSync(sample(`model/${file}`), `${folder}/${file}`)
  const trained: [string, string][] = [['the sample', sample('model')]]
  const stories = shared('stories260K')
  if (existsSync(stories)) trained.push(['stories260K', stories])
  return [...wide.map(({ model, folder }): [string, string] => [model, folder]), ...trained]
}
