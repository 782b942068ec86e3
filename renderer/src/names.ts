import { engine } from '../../electron/contract/index.ts'
import { capital } from './format.ts'

/** What the contract's words are called on screens. */

const runKinds: Record<string, string> = {
  finetune: 'Fine-tune',
  prune: 'Prune',
  merge: 'Merge',
  evaluate: 'Evaluate',
  sweep: 'Sweep',
  export: 'Export',
}
/** What a run of a kind is called: "Pruning of Llama". */
const runNouns: Record<string, string> = {
  finetune: 'Fine-tuning',
  prune: 'Pruning',
  merge: 'Merge',
  evaluate: 'Evaluation',
  sweep: 'Sweep',
  export: 'Export',
}
const runStates: Record<string, string> = {
  queued: 'Queued',
  starting: 'Starting',
  running: 'Running',
  stopping: 'Stopping',
  paused: 'Paused',
  cancelled: 'Cancelled',
  failed: 'Failed',
  interrupted: 'Interrupted',
  done: 'Done',
}
const checkpointKinds: Record<string, string> = {
  base: 'Base',
  finetuned: 'Fine-tuned',
  pruned: 'Pruned',
  merged: 'Merged',
  adapter: 'Adapter',
  exported: 'Exported',
}
const datasetKinds: Record<string, string> = {
  text: 'Text',
  instruction: 'Instructions',
  'multiple-choice': 'Multiple choice',
  images: 'Images',
}
const formats: Record<string, string> = {
  jsonl: 'JSON lines',
  json: 'JSON',
  parquet: 'Parquet',
  text: 'Plain text',
  images: 'Images in files',
  csv: 'Comma-separated values',
}
const families: Record<string, string> = {
  llama: 'Llama',
  mistral: 'Mistral',
  qwen2: 'Qwen 2',
  qwen3: 'Qwen 3',
  gemma3_text: 'Gemma 3',
  phi3: 'Phi-3',
  smollm3: 'SmolLM3',
  vit: 'ViT',
  deit: 'DeiT',
  timm_wrapper: 'timm',
}
const phases: Record<string, string> = {
  'scoring dense': 'Score dense',
  reading: 'Read data',
  'writing self-data': 'Write self-data',
  training: 'Train',
  writing: 'Write',
  scoring: 'Score',
  comparing: 'Compare with dense',
  proving: 'Check what was written',
  sweeping: 'Runs of the sweep',
}
const tasks: Record<string, string> = Object.fromEntries(engine.taskList.map(({ name, title }) => [name, title]))
/** Back ends that compute. */
export const deviceNames: Readonly<Record<string, string>> = {
  onnx: 'ONNX Runtime (CPU)',
  cpu: 'Reference (CPU, slow)',
  webgpu: 'WebGPU',
  tensorflow: 'TensorFlow (CUDA)',
}

/** What a run says of its computer. */
const machine: Record<string, string> = {
  processor: 'Processor',
  cores: 'Cores',
  memoryBytes: 'Memory',
  secateur: 'Secateur',
  node: 'Node',
  platform: 'Platform',
}

const named = (names: Readonly<Record<string, string>>) => (key: string) =>
  Object.hasOwn(names, key) ? names[key]! : key
export const runKindName = named(runKinds)
export const runNoun = named(runNouns)
/** A phase of a run of that kind. */
export const phaseName = (phase: string, kind: string): string =>
  phase === 'training' && kind === 'prune' ? 'Train and prune' : named(phases)(phase)
export const runStateName = named(runStates)
export const checkpointKindName = named(checkpointKinds)
export const datasetKindName = named(datasetKinds)
export const formatName = named(formats)
export const familyName = named(families)
export const machineName = named(machine)
export const deviceName = named(deviceNames)
export const taskTitle = named(tasks)
/** What a run is at, as "Scoring dense: OpenBookQA". */
export const stageName = (stage: string): string => capital(stage.replace(/(?<=: )\S+$/, taskTitle))

const categories: Record<string, string> = { stem: 'STEM', social_sciences: 'social sciences' }
/** Categories of MMLU. */
export const categoryName = named(categories)
/** Subjects of MMLU. */
export const subjectName = (subject: string): string => {
  const words = subject.replaceAll('_', ' ')
  return words.slice(0, 1).toUpperCase() + words.slice(1).replaceAll(/\bus\b/g, 'US')
}

/** Runs that are doing something or will by themselves. */
export const activeStates: readonly string[] = ['queued', 'starting', 'running', 'stopping']
