import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { z } from 'zod'
import { loadTokenizer } from '../../../engine/tokenizer/tokenizer.ts'
import { readCorpus } from '../../../engine/evaluation/corpus.ts'
import { measurePerplexity, tokenWindows } from '../../../engine/evaluation/perplexity.ts'
import type { LikelihoodItem } from '../../../engine/evaluation/scoring-model.ts'
import { data, needsData } from './shared.ts'

let folder = ''
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'secateur-perplexity-'))
})
after(() => rm(folder, { recursive: true }))

/** The loss of a token is its id divided by 100; keeps what it was asked. */
function countingModel() {
  const asked: LikelihoodItem[] = []
  return {
    asked,
    maxLength: 512,
    vocabularySize: 512,
    async logLikelihoods(items: readonly LikelihoodItem[]) {
      asked.push(...items)
      return items.map(({ suffixes }) => suffixes.map((suffix) => suffix.map((id) => -id / 100)))
    },
  }
}

const oracle = z.record(
  z.string(),
  z.object({
    seq_len: z.number(),
    bos: z.boolean(),
    n_chars: z.number(),
    n_tokens: z.number(),
    n_windows: z.number(),
    n_scored: z.number(),
    first_ids: z.array(z.number()),
  }),
)
const readOracle = () =>
  z.object({ perplexity: oracle }).parse(JSON.parse(readFileSync(data('stories260K/oracle.json'), 'utf8'))).perplexity

const firstWikiRows = async () => {
  const lines = readFileSync(data('wikitext-2/wiki.test.raw'), 'utf8').split('\n').slice(0, 200)
  const file = join(folder, 'first.raw')
  await writeFile(file, `${lines.join('\n')}\n`)
  return file
}

test('texts, tokens and windows are those of the oracle, with and without BOS', needsData, async () => {
  const tokenizer = await loadTokenizer(data('stories260K'))
  for (const [name, expected] of Object.entries(readOracle())) {
    const file = name.startsWith('ptb') ? data('ptb/ptb.test.txt') : await firstWikiRows()
    const model = countingModel()
    const options = { window: expected.seq_len, specialTokens: expected.bos }
    const { text } = await readCorpus(file)
    assert.equal(text.length, expected.n_chars, name)
    const { tokens, windows, scored, value, corpus } = await measurePerplexity(model, tokenizer, file, options)
    assert.deepEqual([tokens, windows, scored], [expected.n_tokens, expected.n_windows, expected.n_scored], name)
    assert.equal(corpus, name.startsWith('ptb') ? 'ptb' : 'wikitext2')
    const start = [...model.asked[0]!.prefix, ...model.asked[0]!.suffixes[0]!]
    assert.deepEqual(start.slice(0, 32), expected.first_ids)
    const ids = model.asked.flatMap(({ suffixes }) => suffixes[0]!)
    const loss = ids.reduce((sum, id) => sum + id, 0) / 100 / ids.length
    assert.ok(Math.abs(Math.log(value) - loss) < 1e-9)
  }
})

test('WikiText-2 and PTB are cut as in the tables of LLM-Pruner with the 32k Llama tokenizer', needsData, async () => {
  await copyFile(data('tokenizer/llama2-tokenizer.model'), join(folder, 'tokenizer.model'))
  const tokenizer = await loadTokenizer(folder)
  const wikitext = await readCorpus(data('wikitext-2/wiki.test.raw'))
  const ids = tokenizer.encode(wikitext.text)
  assert.equal(ids.length, 341469)
  assert.deepEqual(ids.slice(0, 8), [1, 29871, 13, 13, 353, 4755, 350, 5059])
  assert.equal([...tokenWindows(ids, 128)].length, 2667)
  assert.equal([...tokenWindows(ids, 2048)].length, 166)
  const treebank = tokenizer.encode((await readCorpus(data('ptb/ptb.valid.txt'))).text)
  assert.equal(treebank.length, 101988)
  assert.equal([...tokenWindows(treebank, 128)].length, 796)
})

test('Parquet and JSON lines give the text of the original files', needsData, async () => {
  const wikitext = await readCorpus(data('wikitext-2/wiki.test.raw'))
  const wikitextRows = await readCorpus(data('parquet/wikitext-2-raw-v1_test_600.parquet'))
  assert.equal(wikitextRows.kind, 'wikitext2')
  assert.ok(wikitextRows.text.length > 100_000 && wikitext.text.startsWith(wikitextRows.text))
  const treebank = await readCorpus(data('ptb/ptb.valid.txt'))
  const treebankRows = await readCorpus(data('parquet/ptb_validation_600.parquet'))
  assert.equal(treebankRows.kind, 'ptb')
  assert.ok(treebankRows.text.length > 50_000 && treebank.text.startsWith(treebankRows.text))
  const file = join(folder, 'rows.jsonl')
  await writeFile(file, ['', ' = A = \n', '', ' Text . \n'].map((text) => JSON.stringify({ text })).join('\n'))
  assert.deepEqual(await readCorpus(file), {
    kind: 'wikitext2',
    text: '\n\n = A = \n\n\n\n\n Text . \n',
    warnings: [],
  })
})

test('the variant with <unk> is measured with a warning', needsData, async () => {
  const { kind, warnings } = await readCorpus(data('wikitext-2/wiki.test.tokens'))
  assert.equal(kind, 'wikitext2')
  assert.match(warnings.join(), /cannot be compared/)
  assert.deepEqual((await readCorpus(data('ptb/ptb.valid.txt'))).warnings, [])
})

test('any other text is taken as it stands, its rows joined where there are rows', async () => {
  const file = join(folder, 'story.txt')
  await writeFile(file, ' One.\n\nTwo. \nThree\n')
  assert.deepEqual(await readCorpus(file), { kind: 'text', text: ' One.\n\nTwo. \nThree', warnings: [] })
  assert.equal((await readCorpus(file, 'ptb')).text, 'One.\n\n\n\nTwo.\n\nThree')
  assert.equal((await readCorpus(file, 'wikitext2')).text, ' One.\n\n\n\n\nTwo. \n\n\nThree\n')
  const rows = join(folder, 'story.jsonl')
  await writeFile(rows, '{"text":"One."}\n{"text":"Two."}\n')
  assert.equal((await readCorpus(rows)).text, 'One.\n\nTwo.')
  await writeFile(rows, '{"text":"One."}\n{"words":"Two."}\n')
  await assert.rejects(readCorpus(rows), /story\.jsonl: line 2, text: is missing or not a text/)
  await writeFile(file, '\n \n')
  await assert.rejects(readCorpus(file), /story\.txt: holds no text/)
})

test('windows score each token once, the first of a text never', () => {
  const ids = Array.from({ length: 23 }, (_, index) => index)
  const scored = (stride?: number) => [...tokenWindows(ids, 8, stride)].map(({ suffixes }) => suffixes[0]!)
  assert.deepEqual(scored(), [
    [1, 2, 3, 4, 5, 6, 7],
    [9, 10, 11, 12, 13, 14, 15],
  ])
  assert.deepEqual(
    scored(3).flat(),
    Array.from({ length: 22 }, (_, index) => index + 1),
  )
  for (const { prefix, suffixes } of tokenWindows(ids, 8, 3)) assert.equal(prefix.length + suffixes[0]!.length, 8)
  assert.equal([...tokenWindows(ids, 8, 8, 1)].length, 1)
  assert.equal([...tokenWindows(ids, 24)].length, 0)
})

test('a limit, progress and what was measured are told; wrong settings are refused', needsData, async () => {
  const tokenizer = await loadTokenizer(data('stories260K'))
  const file = await firstWikiRows()
  const progress: { done: number; total: number }[] = []
  const result = await measurePerplexity(countingModel(), tokenizer, file, {
    window: 64,
    limit: 5,
    batchTokens: 128,
    onProgress: (at) => progress.push(at),
  })
  assert.equal(result.windows, 5)
  assert.equal(result.scored, 5 * 63)
  assert.equal(
    result.protocol,
    'windows of 64 tokens without overlap, special tokens at the start of the text only, the first 5 of 524 windows',
  )
  assert.deepEqual(
    progress.map(({ done, total }) => `${done}/${total}`),
    ['2/5', '4/5', '5/5'],
  )
  const measure = (options: object) => measurePerplexity(countingModel(), tokenizer, file, options)
  await assert.rejects(measure({ window: 513 }), /window: must be from 2 to the 512 tokens/)
  await assert.rejects(measure({ window: 64, stride: 65 }), /stride: must be from 1 to the window/)
  await assert.rejects(measure({ limit: 0 }), /limit: must be a whole number/)
  const short = join(folder, 'short.txt')
  await writeFile(short, 'Once upon a time')
  await assert.rejects(
    measurePerplexity(countingModel(), tokenizer, short),
    /short\.txt: holds \d+ tokens, less than one/,
  )
})
