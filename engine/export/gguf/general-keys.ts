import type { GgufValue } from '../../checkpoint/gguf/writer.ts'
import type { GgufType } from '../../contract/index.ts'
import { version } from '../../shared/version.ts'
import { type BaseModel, ownTag } from '../card/base-model.ts'
import { fileTypeOf, isQuantised } from './tensor-types.ts'

const text = (value: string): GgufValue => ({ type: 'string', value })
const uint = (value: number): GgufValue => ({ type: 'uint32', value })

/**
 * What a file says of itself, and of what it was made from: the keys of ggml's "general metadata" (gguf.md), which the Hub,
 * LM Studio and others show.
 */
export function generalKeys(type: GgufType, base: BaseModel): [string, GgufValue][] {
  const { name, id, license, languages, history } = base
  const own: Record<string, GgufValue | null> = {
    type: text('model'),
    name: text(name),
    description: history[0] === undefined ? null : text(history[0]),
    file_type: uint(fileTypeOf(type)),
    quantized_by: text(`Secateur ${version}`),
    // The version of the block formats; there is one for all that are written here.
    quantization_version: isQuantised(type) ? uint(2) : null,
    license: license && text(license.id),
    'license.name': license?.name === undefined ? null : text(license.name),
    'license.link': license?.link === undefined ? null : text(license.link),
    tags: { type: 'array', of: 'string', value: [ownTag] },
    languages: languages.length === 0 ? null : { type: 'array', of: 'string', value: languages },
    ...(id !== null && baseKeys(id)),
  }
  return Object.entries(own).flatMap(([key, value]) => (value === null ? [] : [[`general.${key}`, value]]))
}

/** @param id OWNER/NAME on the Hub */
function baseKeys(id: string): Record<string, GgufValue> {
  const [owner, name] = id.split('/')
  return {
    'base_model.count': uint(1),
    'base_model.0.name': text(name!),
    'base_model.0.organization': text(owner!),
    'base_model.0.repo_url': text(`https://huggingface.co/${id}`),
  }
}
