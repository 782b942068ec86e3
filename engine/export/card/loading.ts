import type { Compatibility } from '../../contract/index.ts'
import { isStock, largestShape } from '../../models/decoder-layers.ts'
import type { ModelConfig } from '../../models/model-config.ts'
import { familyOf } from '../../models/registry.ts'
import { headsFit } from '../compatibility.ts'

const code = (language: string, text: string) => `\`\`\`${language}\n${text}\n\`\`\``

/** How a checkpoint is loaded, in lines to copy. */
export function loadingText(config: ModelConfig, answers: readonly Compatibility[]): string {
  const { task } = familyOf(config)
  const loads = answers.some(({ program, loads: answer }) => program === 'transformers' && answer === 'yes')
  const python = loads
    ? [code('python', task === 'causal-lm' ? languageModel : classifier)]
    : loadsByLayer(config)
      ? ['With transformers, layer by layer (tried with 5.24):', code('python', layerByLayer)]
      : []
  const own =
    task === 'causal-lm' ? 'npx secateur generate FOLDER --prompt "Once upon a time"' : 'npx secateur inspect FOLDER'
  return ['## How to load it', 'With the folder of this card as FOLDER:', code('sh', own), ...python].join('\n\n')
}

/** Whether layers that differ can be built one by one: each must be one that transformers knows. */
const loadsByLayer = (config: ModelConfig): boolean =>
  familyOf(config).task === 'causal-lm' &&
  !isStock(config.layers) &&
  !config.layers.some(({ keyValueHeadOf }) => keyValueHeadOf) &&
  headsFit(config, largestShape(config.layers).heads)

const languageModel = `from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("FOLDER")
model = AutoModelForCausalLM.from_pretrained("FOLDER")`

const classifier = `from transformers import AutoModelForImageClassification

model = AutoModelForImageClassification.from_pretrained("FOLDER")`

/** transformers reads per_layer_config, but its classes build all layers alike. */
const layerByLayer = `import copy, glob, json
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM

fields = json.load(open("FOLDER/config.json"))
layers = fields.pop("per_layer_config")
stock = AutoConfig.for_model(fields.pop("model_type").removeprefix("secateur_"), **fields)
model = AutoModelForCausalLM.from_config(stock)
for number, own in layers.items():
    config = copy.deepcopy(model.config)
    for name, value in own.items():
        setattr(config, name, value)
    model.model.layers[int(number)] = type(model.model.layers[0])(config, int(number))
for file in glob.glob("FOLDER/*.safetensors"):
    model.load_state_dict(load_file(file), strict=False)
model.tie_weights()
model.eval()`
