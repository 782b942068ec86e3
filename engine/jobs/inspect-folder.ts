import { readdirSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { isGgufFile } from '../checkpoint/gguf/file.ts'
import { partsOf } from '../checkpoint/gguf/open.ts'
import type { AdapterInspection, CheckpointInspection, Inspection, ParsedServiceParams } from '../contract/index.ts'
import { checkpointWarnings } from '../estimate/job-warnings.ts'
import { onnxCompatibility } from '../export/compatibility.ts'
import { modelName } from '../export/onnx/write.ts'
import { inspectAdapter } from '../lora/read-peft.ts'
import { openCheckpoint } from '../models/checkpoint.ts'
import type { ModelConfig } from '../models/model-config.ts'
import { familyOf, readConfig } from '../models/registry.ts'
import { countParameters } from '../models/tensors.ts'
import { badFile, failureOf } from '../shared/errors.ts'
import { explained } from '../shared/system-errors.ts'
import { chatTemplate } from '../tokenizer/tokenizer-files.ts'
import { loadTokenizer } from '../tokenizer/tokenizer.ts'
import { imageFacts } from './image-facts.ts'
import { headerFacts } from './inspect.ts'

/** What a folder is: a checkpoint, or a PEFT adapter. No weight is read. */
export async function inspectFolder({ checkpoint: folder }: ParsedServiceParams<'inspect'>): Promise<Inspection> {
  const gguf = isGgufFile(folder)
  const files = gguf ? statesOf(partsOf(folder)) : filesOf(folder)
  const has = (name: string) => files.some((file) => file.name === name)
  if (has('adapter_config.json') && !has('config.json')) {
    return { kind: 'adapter', folder, ...inspectAdapter(folder), files }
  }
  const tokenizerFile = gguf ? 'gguf' : (['tokenizer.json', 'tokenizer.model'] as const).find(has)
  if (has(modelName) && !files.some(({ name }) => name.endsWith('.safetensors'))) {
    const facts = onnxFacts(folder, files)
    return { kind: 'checkpoint', folder, ...facts, tokenizer: await tokenizerOf(folder, tokenizerFile), files }
  }
  using checkpoint = openCheckpoint(folder)
  const { images, warnings } = imageFacts(checkpoint)
  return {
    kind: 'checkpoint',
    folder: checkpoint.folder,
    format: gguf ? 'gguf' : 'safetensors',
    architecture: architectureOf(checkpoint.config),
    ...headerFacts(checkpoint),
    tokenizer: await tokenizerOf(folder, tokenizerFile),
    images,
    warnings: [...(await checkpointWarnings(checkpoint)), ...warnings],
    files,
  }
}

/** What config.json and the sizes of the files say of a model that was exported as ONNX: its graph is not read. */
function onnxFacts(
  folder: string,
  files: AdapterInspection['files'],
): Omit<CheckpointInspection, 'kind' | 'folder' | 'tokenizer' | 'files'> {
  const config = readConfig(join(folder, 'config.json'))
  const bytes = files.reduce((sum, file) => sum + (file.name.startsWith(modelName) ? file.bytes : 0), 0)
  const parameters = countParameters(config)
  const facts = { config, parameters, bytes, dtype: typeOfSize(bytes / parameters, config), quantisation: null }
  return {
    format: 'onnx',
    architecture: architectureOf(config),
    ...headerFacts(facts),
    compatibility: onnxCompatibility,
    images: null,
    warnings: [],
  }
}

/** The type that config.json names, where numbers take as many bytes. */
function typeOfSize(bytesEach: number, { source }: ModelConfig): CheckpointInspection['dtype'] {
  if (bytesEach > 3) return 'float32'
  const named = source['dtype'] ?? source['torch_dtype']
  return named === 'bfloat16' ? named : 'float16'
}

function architectureOf(config: ModelConfig): string {
  const { architectures, architecture } = config.source
  // timm names one of its own, and Hugging Face classes.
  const named: unknown = Array.isArray(architectures) ? architectures[0] : architecture
  return typeof named === 'string' ? named : familyOf(config).architecture
}

async function tokenizerOf(
  folder: string,
  kind: 'tokenizer.json' | 'tokenizer.model' | 'gguf' | undefined,
): Promise<CheckpointInspection['tokenizer']> {
  if (!kind) return null
  try {
    const { vocabularySize } = await loadTokenizer(folder)
    return { kind, vocabulary: vocabularySize, chatTemplate: (await chatTemplate(folder)) !== null }
  } catch (error) {
    return { error: failureOf(error) }
  }
}

function filesOf(folder: string): AdapterInspection['files'] {
  try {
    if (!statSync(folder).isDirectory())
      throw badFile(folder, undefined, 'is a file, and no GGUF file; give the folder that holds it')
    return statesOf(
      readdirSync(folder)
        .sort()
        .map((name) => join(folder, name)),
    )
  } catch (error) {
    throw explained(folder, error)
  }
}

const statesOf = (paths: readonly string[]): AdapterInspection['files'] =>
  paths.flatMap((path) => {
    const stat = statSync(path, { throwIfNoEntry: false })
    return stat?.isFile() ? [{ name: basename(path), bytes: stat.size, modifiedMs: stat.mtimeMs }] : []
  })
