import assert from 'node:assert/strict'
import { test } from 'node:test'
import { scoresText } from '../../../engine/entries/command-line/scores-text.ts'

test('a perplexity is said with the tokens that were scored, whatever the text has', () => {
  const held = { value: 3.40812, tokens: 14_506, scored: 254, windows: 2, window: 128, protocol: 'windows' }
  assert.deepEqual(scoresText({ type: 'result', seconds: 1, perplexity: { held } }), [
    'perplexity held: 3.408 (254 tokens scored, window 128)',
  ])
})
