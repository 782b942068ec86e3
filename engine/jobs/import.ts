import { isGgufFile } from '../checkpoint/gguf/file.ts'
import type { EngineEvent, ImportSettings, ResultEvent } from '../contract/index.ts'
import { announce } from '../estimate/announce.ts'
import { peakMemory } from '../estimate/memory.ts'
import { baseModelOf } from '../export/card/base-model.ts'
import { importedCard } from '../export/card/imported.ts'
import { writeCard } from '../export/card/model-card.ts'
import { openCheckpoint } from '../models/checkpoint.ts'
import { writeCheckpoint } from '../models/write-checkpoint.ts'
import { StageProgress } from '../runs/stage-progress.ts'
import { badFile } from '../shared/errors.ts'

/**
 * Writes what a GGUF file holds as a Hugging Face folder: config.json, weights in safetensors, tokenizer and chat template.
 * One tensor is held at a time. `same` is the type of most weights, and float32, which changes nothing, where they are
 * quantised.
 */
export async function importCheckpoint(
  settings: ImportSettings,
  signal: AbortSignal,
  emit: (event: EngineEvent) => void,
): Promise<ResultEvent> {
  const started = performance.now()
  const { file, out, outputDtype: wanted } = settings
  using checkpoint = openCheckpoint(file)
  if (!isGgufFile(file))
    throw badFile(file, undefined, 'is a checkpoint in safetensors already; import takes a GGUF file')
  await announce({ kind: 'import', out, outputDtype: wanted }, checkpoint, emit)
  const writing = new StageProgress('writing', emit)
  const read = function* () {
    for (const name of checkpoint.tensors.keys()) yield checkpoint.read(name)
  }
  const dtype = wanted === 'same' ? checkpoint.dtype : wanted
  const base = baseModelOf(checkpoint.folder, checkpoint.config.source)
  await writeCheckpoint(out, {
    config: checkpoint.config,
    dtype,
    tensors: read(),
    tokenizerFrom: checkpoint.folder,
    ifTooLarge: 'write bfloat16 or float32 with --output-dtype',
    beside: (temporary) => writeCard(temporary, importedCard({ kind: 'import', ...settings }, base, checkpoint, dtype)),
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
