import type { KeyReader } from '../checkpoint/gguf/key-reader.ts'
import { rotaryFrequencies } from '../ops/rotary.ts'
import { badFile, SecateurError } from '../shared/errors.ts'
import { ropeFactorsName } from './gguf.ts'

/** The numbers of a tensor of the file; null where it has none of that name. */
export type ReadFactors = (name: string) => Float32Array | null

/** Numbers that agree to this part are the same, one of them rounded to float32. */
const tolerance = 1e-5

/**
 * `rope_scaling` of config.json: by the keys, or by the factors that the file has for every rotary frequency.
 *
 * @throws SecateurError where positions are scaled in a way that is not supported
 */
export function ropeScalingOf(keys: KeyReader, architecture: string, headSize: number, read: ReadFactors) {
  for (const name of ['rope_factors_long.weight', 'rope_factors_short.weight'])
    if (read(name))
      throw new SecateurError('unsupported', 'rotary scaling "longrope" is not supported', {
        file: keys.path,
        field: name,
      })
  const at = (name: string) => `${architecture}.rope.${name}`
  const type = keys.text(at('scaling.type')) ?? (keys.has(at('scale_linear')) ? 'linear' : 'none')
  const factors = read(ropeFactorsName)
  const scales = factors?.some((factor) => factor !== 1) === true
  if (type === 'linear' && !scales) {
    const field = at(keys.has(at('scaling.factor')) ? 'scaling.factor' : 'scale_linear')
    const factor = keys.needed(field, keys.number(field))
    if (!(factor > 0)) throw badFile(keys.path, field, `is ${factor}; it must be above 0`)
    return factor === 1 ? null : { rope_type: 'linear', factor }
  }
  if (type !== 'none')
    throw new SecateurError('unsupported', `is "${type}", which is not supported; supported are none and linear`, {
      file: keys.path,
      field: at('scaling.type'),
    })
  if (!scales) return null
  const theta = keys.number(at('freq_base')) ?? 10_000
  const fields = llama3Of(factors, headSize, theta)
  if (fields) return fields
  throw new SecateurError('unsupported', 'scales rotary frequencies in another way than Llama 3 does', {
    file: keys.path,
    field: ropeFactorsName,
  })
}

/**
 * The numbers of Llama 3's scaling from the factors that it gives: 1 for short waves, `factor` for long ones, and between
 * them 1 / ((1 - s) / factor + s), where s is linear in the frequency. The factors say where s is 0 and 1 and not by which
 * numbers, so low_freq_factor is taken to be 1, as it is in all that Meta has published. Where too few lie between, its
 * other numbers are tried; whatever is found must give the factors again. Null where nothing does.
 */
function llama3Of(factors: Float32Array, headSize: number, theta: number) {
  const factor = decimal(Math.max(...factors))
  const plain = rotaryFrequencies(headSize, theta, null)
  if (factors.length !== plain.length) return null
  const between = [...factors.keys()].filter(
    (i) => factors[i]! > 1 + tolerance && factors[i]! < factor * (1 - tolerance),
  )
  const share = (i: number) => (1 / factors[i]! - 1 / factor) / (1 - 1 / factor)
  const candidates: [high: number, positions: number][] = []
  const [first, last] = [between[0], between.at(-1)]
  if (first !== undefined && last !== undefined && first !== last) {
    const slope = (share(first) - share(last)) / (plain[first]! - plain[last]!)
    const high = 1 - 1 / (share(first) - slope * plain[first]!)
    candidates.push([decimal(high), Math.round(slope * 2 * Math.PI * (decimal(high) - 1))])
  }
  for (let positions = 32; positions <= 2 ** 20; positions *= 2) candidates.push([4, positions])
  for (const [high, positions] of candidates) {
    if (!(high > 1) || !(positions >= 1)) continue
    const scaled = rotaryFrequencies(headSize, theta, {
      type: 'llama3',
      factor,
      lowFrequencyFactor: 1,
      highFrequencyFactor: high,
      originalPositions: positions,
    })
    if (scaled.every((frequency, i) => Math.abs(plain[i]! / frequency / factors[i]! - 1) < tolerance))
      return {
        rope_type: 'llama3',
        factor,
        low_freq_factor: 1,
        high_freq_factor: high,
        original_max_position_embeddings: positions,
      }
  }
  return null
}

const decimal = (value: number): number => Number(value.toPrecision(5))
