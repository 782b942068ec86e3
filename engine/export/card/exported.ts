import type { ExportOnnxJob, ExportSafetensorsJob, Proof } from '../../contract/index.ts'
import type { Checkpoint } from '../../models/checkpoint.ts'
import type { WeightType } from '../../tensor/stored-tensor.ts'
import type { BaseModel } from './base-model.ts'
import type { CardFacts } from './model-card.ts'
import { layersTable, parametersText } from './tables.ts'

/** The model card of a checkpoint in another form. */
export function exportedCard(
  job: ExportSafetensorsJob | ExportOnnxJob,
  base: BaseModel,
  { config, parameters }: Checkpoint,
  type: WeightType,
  proof: Proof | undefined,
): CardFacts {
  const form = job.format === 'onnx' ? `as ONNX, its weights in ${type}` : `with its weights in ${type}`
  const proved = proof
    ? ` Read back and run over ${proof.texts} texts, log-likelihoods of ${proof.tokens} tokens differ from those of the original by at most ${proof.worst.toPrecision(2)} (mean ${proof.mean.toPrecision(2)}).`
    : ''
  return {
    title: `${base.name}, ${form}`,
    base,
    relation: null,
    tags: job.format === 'onnx' ? ['onnx'] : [],
    config,
    ...(job.format === 'onnx' && { loading: { library: 'onnx', text: onnxText } }),
    sections: [
      `${base.name} ${form}: the same model in another form.${proved}`,
      `## Size\n\n${parametersText({ before: parameters, after: parameters })}`,
      layersTable(config.layers),
    ],
    job,
  }
}

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
