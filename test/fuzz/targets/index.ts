import type { Target } from '../target.ts'

/** Every parser of what comes from outside, by its name; loaded when its turn comes. */
export const targets = {
  safetensors: async () => (await import('./weights.ts')).safetensors,
  config: async () => (await import('./weights.ts')).config,
  checkpoint: async () => (await import('./weights.ts')).checkpoint,
  gguf: async () => (await import('./weights.ts')).gguf,
  'gguf-checkpoint': async () => (await import('./gguf-checkpoint.ts')).ggufCheckpoint,
  'tokenizer.json': async () => (await import('./tokenizers.ts')).tokenizerJson,
  'chat-templates': async () => (await import('./tokenizers.ts')).chatTemplates,
  sentencepiece: async () => (await import('./tokenizers.ts')).sentencePiece,
  peft: async () => (await import('./folders.ts')).peft,
  data: async () => (await import('./data.ts')).data,
  parquet: async () => (await import('./data.ts')).parquet,
  images: async () => (await import('./images.ts')).images,
  'image-sets': async () => (await import('./images.ts')).imageSets,
  tasks: async () => (await import('./data.ts')).tasks,
  'own-tasks': async () => (await import('./tasks.ts')).ownTasks,
  mmlu: async () => (await import('./tasks.ts')).mmlu,
  'run-folder': async () => (await import('./folders.ts')).runFolder,
  'planned-run': async () => (await import('./folders.ts')).plannedRun,
  'sweep-folder': async () => (await import('./folders.ts')).sweepFolder,
  parts: async () => (await import('./parts.ts')).parts,
  relay: async () => (await import('./relay.ts')).relay,
  archive: async () => (await import('./folders.ts')).archive,
  jobs: async () => (await import('./requests.ts')).jobs,
  'job-files': async () => (await import('./requests.ts')).jobFiles,
  requests: async () => (await import('./requests.ts')).contractA,
} as const satisfies Record<string, () => Promise<Target>>

export type TargetName = keyof typeof targets
export const targetNames = Object.keys(targets) as TargetName[]
