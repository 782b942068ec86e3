import assert from 'node:assert/strict'
import type { GreedyScoringModel, ScoringModel } from '../../../engine/evaluation/scoring-model.ts'

export interface KnownRequest {
  context_ids: number[]
  continuation_ids: number[]
  token_loglikelihoods: number[]
}

/**
 * Answers with the values that the oracle states, and fails on any other sequence of tokens. What is asked beyond the
 * continuations comes back as NaN, so that a sum that takes it in is found out.
 */
export function oracleModel(requests: readonly KnownRequest[], maxLength: number) {
  const known = new Map(
    requests.map(({ context_ids, continuation_ids, token_loglikelihoods }) => [
      [...context_ids, ...continuation_ids].slice(-maxLength - 1).join(' '),
      token_loglikelihoods,
    ]),
  )
  const asked = { items: 0, suffixes: 0, batches: 0 }
  const model = withoutGreedy({
    maxLength,
    vocabularySize: 512,
    async logLikelihoods(items) {
      asked.batches++
      return items.map(({ prefix, suffixes }) => {
        asked.items++
        assert.ok(prefix.length > 0)
        return suffixes.map((suffix) => {
          asked.suffixes++
          const values = known.get([...prefix, ...suffix].join(' '))
          assert.ok(values, `a sequence of ${prefix.length} + ${suffix.length} tokens that the oracle does not know`)
          assert.ok(suffix.length >= values.length)
          return [...Array.from({ length: suffix.length - values.length }, () => Number.NaN), ...values]
        })
      })
    },
  })
  return { model, asked }
}

/** A model that is only asked how likely texts are. */
export const withoutGreedy = (model: ScoringModel): GreedyScoringModel => ({
  ...model,
  greedyLikelihoods: () => Promise.reject(new Error('nothing asks what the model would write')),
})
