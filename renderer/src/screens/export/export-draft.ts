import { engine } from '../../../../electron/contract/index.ts'

export type Format = engine.ExportFormat
export type Dtype = engine.ExportSafetensorsJob['dtype']
export type LayoutChoice = engine.ExportGgufJob['layout']

/** What the user has chosen of an export, for all formats: what one of them has not is left out of its job. */
export interface ExportDraft {
  format: Format
  type: engine.GgufType
  dtype: Dtype
  layout: LayoutChoice
  /** A text to round for; empty for none. */
  calibrate: string
  /** Gigabytes in one file. */
  shardSize: number | undefined
  proof: boolean
  /** Where it goes, as it was typed; null for the name that is offered. */
  place: string | null
  /** Folder of the name that is offered; null for that of the settings. */
  folder: string | null
}

export const emptyExport = (): ExportDraft => ({
  format: 'gguf',
  type: 'q8_0',
  dtype: 'same',
  layout: 'auto',
  calibrate: '',
  shardSize: undefined,
  proof: true,
  place: null,
  folder: null,
})

/** What is offered first: GGUF, unless llama.cpp does not load the checkpoint. */
export const firstFormat = (compatibility: readonly engine.Compatibility[]): Format =>
  compatibility.some(({ program, loads }) => program === 'llama.cpp' && loads === 'no') ? 'safetensors' : 'gguf'

/** Types in which one scale stands for a block of weights: a text can be rounded for. */
export const isQuantised = (type: engine.GgufType): boolean => !['f32', 'f16', 'bf16'].includes(type)

/** How weights are stored by a draft, as the names of files have it. */
export const typeOf = ({ format, type, dtype }: ExportDraft): string => (format === 'gguf' ? type : dtype)

/** The job of a draft. */
export function exportJobOf(
  checkpoint: string,
  draft: ExportDraft,
  out: string,
): Record<string, unknown> & { kind: string } {
  const { format, type, dtype, layout, calibrate, shardSize, proof } = draft
  const common = { kind: 'export', format, checkpoint, out, ...(proof ? {} : { proof }) }
  if (format !== 'gguf')
    return { ...common, dtype, ...(format === 'safetensors' && shardSize !== undefined ? { shardSize } : {}) }
  const text = calibrate.trim()
  return { ...common, type, layout, ...(isQuantised(type) && text !== '' ? { calibrate: text } : {}) }
}

/** The draft of an export that was made, without its place, where that file is now. */
export function draftOfExport(job: engine.ExportJob): ExportDraft {
  const draft = { ...emptyExport(), format: job.format, proof: job.proof }
  if (job.format === 'gguf') return { ...draft, type: job.type, layout: job.layout, calibrate: job.calibrate ?? '' }
  return { ...draft, dtype: job.dtype, ...(job.format === 'safetensors' && { shardSize: job.shardSize }) }
}

/** The folder that a path is in, with what separates it from the rest; empty where it has none. */
export const folderOfPath = (path: string): string => /^(.*)[/\\][^/\\]*$/s.exec(path)?.[1] ?? ''
