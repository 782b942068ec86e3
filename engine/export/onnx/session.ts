import { InferenceSession, Tensor } from 'onnxruntime-node'
import { SecateurError } from '../../shared/errors.ts'
import { refuseTelemetry } from '../../shared/no-telemetry.ts'

/** Keys and values that a run gave back, by the names of the inputs that take them. */
export type Cache = Record<string, Tensor>

export interface Answer {
  /** [rows, length, vocabulary] */
  logits: Float32Array
  cache: Cache
}

/** An exported decoder in ONNX Runtime. */
export class OnnxDecoder {
  readonly #session: InferenceSession

  private constructor(session: InferenceSession) {
    this.#session = session
  }

  /** @throws SecateurError where ONNX Runtime does not load it */
  static async open(file: string, threads?: number): Promise<OnnxDecoder> {
    refuseTelemetry()
    try {
      const session = await InferenceSession.create(file, {
        ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
        logSeverityLevel: 3,
      })
      return new OnnxDecoder(session)
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new SecateurError('bad-file', `ONNX Runtime does not load it: ${reason}`, { file, cause })
    }
  }

  /**
   * Runs rows of one length, after those that the cache holds.
   *
   * @param attended 1 for a token and 0 for padding, of the cache and of these rows [rows, past + length]
   * @param positions of these tokens in their row
   */
  async run(
    ids: readonly (readonly number[])[],
    attended: readonly (readonly number[])[],
    positions: readonly (readonly number[])[],
    cache: Cache = this.#empty(ids.length),
  ): Promise<Answer> {
    const results = await this.#session.run({
      input_ids: whole(ids),
      attention_mask: whole(attended),
      position_ids: whole(positions),
      ...cache,
    })
    const next = Object.entries(results).filter(([name]) => name.startsWith('present.'))
    return {
      logits: results['logits']!.data as Float32Array,
      cache: Object.fromEntries(next.map(([name, value]) => [name.replace('present', 'past_key_values'), value])),
    }
  }

  #empty(rows: number): Cache {
    const caches = this.#session.inputMetadata.filter(({ name }) => name.startsWith('past_key_values.'))
    return Object.fromEntries(
      caches.map((metadata) => {
        if (!metadata.isTensor) throw new TypeError(`${metadata.name} is no tensor`)
        const [, heads, , size] = metadata.shape as [string, number, string, number]
        return [metadata.name, new Tensor('float32', new Float32Array(0), [rows, heads, 0, size])]
      }),
    )
  }

  async close(): Promise<void> {
    await this.#session.release()
  }
}

const whole = (rows: readonly (readonly number[])[]): Tensor =>
  new Tensor('int64', BigInt64Array.from(rows.flat(), BigInt), [rows.length, rows[0]!.length])
