import type { engine } from '../../../../electron/contract/index.ts'
import { number } from '../../format.ts'
import type { Dtype, ExportDraft, Format } from './export-draft.ts'

/** What formats, types, layouts and fields are, in words. */

export const placeLabel = ({ format }: ExportDraft): string => (format === 'gguf' ? 'File' : 'Folder')
export const calibrationLabel = 'Calibration text'

export const formats: Readonly<Record<Format, { title: string; sentence: string; program: engine.ProgramName }>> = {
  gguf: {
    title: 'GGUF',
    sentence: 'One file with the tokenizer in it, for llama.cpp and what is built on it (LM Studio, Ollama).',
    program: 'llama.cpp',
  },
  safetensors: {
    title: 'safetensors',
    sentence: 'A Hugging Face folder, in another type or in files of another size.',
    program: 'transformers',
  },
  onnx: {
    title: 'ONNX',
    sentence: 'A graph with its weights beside it, named as Optimum names it.',
    program: 'ONNX Runtime',
  },
}

export const types: Readonly<Record<engine.GgufType, { title: string; sentence: string }>> = {
  q8_0: { title: 'Q8_0', sentence: '8.5 bits a weight, in blocks of 32: close to the original.' },
  q6_k: { title: 'Q6_K', sentence: 'About 6.6 bits a weight, in blocks of 256.' },
  q5_k_m: { title: 'Q5_K_M', sentence: 'About 5.7 bits a weight, in blocks of 256.' },
  q4_k_m: { title: 'Q4_K_M', sentence: 'About 4.8 bits a weight, in blocks of 256: what most people take.' },
  q4_0: { title: 'Q4_0', sentence: '4.5 bits a weight, in blocks of 32: plain, and fast on processors.' },
  f16: { title: 'F16', sentence: '16 bits a weight.' },
  bf16: { title: 'BF16', sentence: '16 bits a weight, with the range of F32.' },
  f32: { title: 'F32', sentence: '32 bits a weight.' },
}

/** A type of weights as people write it. */
export const typeTitle = (type: string): string =>
  Object.hasOwn(types, type) ? types[type as engine.GgufType].title : type

export const dtypes: Readonly<Record<Dtype, { title: string; sentence: string }>> = {
  same: { title: 'As in the checkpoint', sentence: 'The type of most of its weights.' },
  f16: { title: 'float16', sentence: '16 bits a weight.' },
  bf16: { title: 'bfloat16', sentence: '16 bits a weight, with the range of float32.' },
  f32: { title: 'float32', sentence: '32 bits a weight.' },
}

export const layouts: Readonly<Record<engine.GgufLayout, { title: string; sentence: string }>> = {
  stock: { title: 'As it is', sentence: 'Every layer with the heads and channels that it has.' },
  deci: {
    title: 'Layer by layer',
    sentence: 'As llama.cpp’s architecture deci, which counts heads and channels of each layer.',
  },
  padded: {
    title: 'Filled up',
    sentence: 'With heads and channels of zeros, which change no result and take memory and time.',
  },
}

/** How far what was written is from the checkpoint. */
export const proofText = ({ texts, tokens, worst, mean }: engine.Proof): string =>
  worst === 0
    ? `Log-likelihoods of ${number(tokens)} tokens in ${number(texts)} texts are exactly those of the checkpoint.`
    : `Log-likelihoods of ${number(tokens)} tokens in ${number(texts)} texts differ from the checkpoint’s by at most ${number(worst, 3)} nats (mean ${number(mean, 3)}).`
