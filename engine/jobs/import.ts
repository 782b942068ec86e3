import { z } from 'zod'
import { isGgufFile } from '../checkpoint/gguf/file.ts'
import { type EngineEvent, outputDtype, type ResultEvent } from '../contract/index.ts'
import { announce } from '../estimate/announce.ts'
import { peakMemory } from '../estimate/memory.ts'
import { openCheckpoint } from '../models/checkpoint.ts'
import { writeCheckpoint } from '../models/write-checkpoint.ts'
import { StageProgress } from '../runs/stage-progress.ts'
import { badFile } from '../shared/errors.ts'

export const importSchema = z.strictObject({
  file: z.string().min(1),
  out: z.string().min(1).describe('folder of the checkpoint that is written'),
  outputDtype,
})
export type ImportSettings = z.infer<typeof importSchema>

/**
 * Writes what a GGUF file holds as a Hugging Face folder: config.json, weights in safetensors, tokenizer and chat template.
 * One tensor is held at a time. `same` is the type of most weights, and float32, which changes nothing, where they are
 * quantised.
 */
export async function importCheckpoint(
  { file, out, outputDtype: wanted }: ImportSettings,
  signal: AbortSignal,
  emit: (event: EngineEvent) => void,
): Promise<ResultEvent> {
  const started = performance.now()
  using checkpoint = openCheckpoint(file)
  if (!isGgufFile(file))
    throw badFile(file, undefined, 'is a checkpoint in safetensors already; import takes a GGUF file')
  await announce({ kind: 'import', out, outputDtype: wanted }, checkpoint, emit)
  const writing = new StageProgress('writing', emit)
  const read = function* () {
    for (const name of checkpoint.tensors.keys()) yield checkpoint.read(name)
  }
  await writeCheckpoint(out, {
    config: checkpoint.config,
    dtype: wanted === 'same' ? checkpoint.dtype : wanted,
    tensors: read(),
    tokenizerFrom: checkpoint.folder,
    ifTooLarge: 'write bfloat16 or float32 with --output-dtype',
    signal,
    onProgress: (done, total) => writing.report(done, total),
  })
  const { parameters } = checkpoint
  return {
    type: 'result',
    checkpoint: out,
    parameters: { before: parameters, after: parameters },
    ...peakMemory(),
    seconds: (performance.now() - started) / 1000,
  }
}
