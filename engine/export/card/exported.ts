import { basename } from 'node:path'
import type { ExportJob, GgufType, Proof } from '../../contract/index.ts'
import type { Checkpoint } from '../../models/checkpoint.ts'
import type { WeightType } from '../../tensor/stored-tensor.ts'
import type { BaseModel } from './base-model.ts'
import type { CardFacts } from './model-card.ts'
import { calibrates } from '../calibrates.ts'
import { isQuantised } from '../gguf/tensor-types.ts'
import { layersTable, parametersText } from './tables.ts'

/** What an export is, for its card. */
export interface ExportedFacts {
  /** How weights are stored. */
  type: WeightType | GgufType
  proof: Proof | undefined
  /** How layers that differ were written, where that had to be decided. */
  said?: string | null
}

/** The model card of a checkpoint in another form. */
export function exportedCard(
  job: ExportJob,
  base: BaseModel,
  { config, parameters }: Checkpoint,
  { type, proof, said }: ExportedFacts,
): CardFacts {
  const form = formOf(job, type)
  const proved = proof
    ? ` Read back and run over ${proof.texts} texts, log-likelihoods of ${proof.tokens} tokens differ from those of the original by at most ${proof.worst.toPrecision(2)} (mean ${proof.mean.toPrecision(2)}).`
    : ''
  const rounded =
    job.format === 'gguf' && calibrates(job) ? ` Weights were rounded for a text, "${basename(job.calibrate)}".` : ''
  const quantised = job.format === 'gguf' && isQuantised(job.type)
  return {
    title: `${base.name}, ${form}`,
    base,
    relation: base.isOurs ? base.relation : quantised ? 'quantized' : null,
    tags: job.format === 'safetensors' ? [] : [job.format],
    config,
    ...(job.format === 'onnx' && { loading: { library: 'onnx', text: onnxText } }),
    ...(job.format === 'gguf' && { loading: { library: 'gguf', text: ggufText(basename(job.out)) } }),
    sections: [
      `${base.name} ${form}: ${quantised ? 'the same model with fewer bits' : 'the same model in another form'}.${rounded}${proved}${said ? ` ${said}` : ''}`,
      ...madeText(base),
      `## Size\n\n${parametersText({ before: parameters, after: parameters })}`,
      layersTable(config.layers),
    ],
    job,
  }
}

function formOf(job: ExportJob, type: string): string {
  switch (job.format) {
    case 'gguf':
      return `as GGUF, its weights in ${type}`
    case 'onnx':
      return `as ONNX, its weights in ${type}`
    case 'safetensors':
      return `with its weights in ${type}`
  }
}

/** What is known of how the exported model was made, under one heading. */
export function madeText({ history }: BaseModel): string[] {
  const [intro, ...rest] = history
  return intro === undefined ? [] : [`## How it was made\n\n${intro}`, ...rest]
}

const ggufText = (file: string) => `## How to load it

llama.cpp and what is built on it (LM Studio, Ollama, node-llama-cpp) load the file; its tokenizer and chat template are in it.

\`\`\`sh
llama-cli -m ${file} -p "Once upon a time"
npx secateur generate ${file} --prompt "Once upon a time"
\`\`\``

const onnxText = `## How to load it

ONNX Runtime loads \`model.onnx\` (opset 21; its weights are in \`model.onnx_data\`, which must lie beside it), tried with 1.30 from
Node and 1.32 from Python. Inputs and outputs have the names of Optimum's exports: \`input_ids\`, \`attention_mask\`,
\`position_ids\` and \`past_key_values.N.key\`, \`.value\` in, \`logits\` and \`present.N.key\`, \`.value\` out. It computes in float32.

\`\`\`python
import numpy, onnxruntime

session = onnxruntime.InferenceSession("FOLDER/model.onnx")
ids = numpy.array([[1, 2, 3]], dtype=numpy.int64)
feeds = {
    "input_ids": ids,
    "attention_mask": numpy.ones_like(ids),
    "position_ids": numpy.arange(ids.shape[1], dtype=numpy.int64)[None],
}
for value in session.get_inputs():
    if value.name.startswith("past_key_values."):
        feeds[value.name] = numpy.zeros([1, value.shape[1], 0, value.shape[3]], dtype=numpy.float32)
logits, *present = session.run(None, feeds)
\`\`\``
