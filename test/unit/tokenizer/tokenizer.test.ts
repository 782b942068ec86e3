import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { parseSentencePiece } from '../../../engine/tokenizer/sentencepiece-model.ts'
import { loadTokenizer } from '../../../engine/tokenizer/tokenizer.ts'
import type { Tokenizer } from '../../../engine/tokenizer/tokenizer-type.ts'
import { needs, sentencePieceFolder, shared } from './tokenizer-folder.ts'

const text = (name: string) => readFileSync(shared(name), 'utf8')
const withoutSpecial = { specialTokens: false }

describe('the 32k Llama tokenizer.model', needs('tokenizer', 'wikitext-2', 'ptb'), () => {
  const model = 'tokenizer/llama2-tokenizer.model'
  let llama: Tokenizer
  test('loads in seconds', async () => {
    const folder = sentencePieceFolder(model)
    const start = process.cpuUsage()
    llama = await loadTokenizer(folder)
    assert.ok(process.cpuUsage(start).user < 10e6)
    const { vocabularySize, bosId, eosId, padId, bosToken, eosToken } = llama
    assert.deepEqual(
      { vocabularySize, bosId, eosId, padId, bosToken, eosToken },
      { vocabularySize: 32000, bosId: 1, eosId: 2, padId: null, bosToken: '<s>', eosToken: '</s>' },
    )
    assert.equal(llama.token(4874), '\u2581yes')
    assert.equal(llama.chat([{ role: 'user', content: 'Hello' }]), null)
  })

  test('gives the ids of every llama.cpp case, and the text back', () => {
    const cases = text('tokenizer/ggml-vocab-llama-spm.gguf.inp').split('\n__ggml_vocab_test__\n')
    const expected = text('tokenizer/ggml-vocab-llama-spm.gguf.out').split('\n')
    assert.equal(cases.length, 47)
    for (const [index, input] of cases.entries()) {
      const ids = expected[index]!.trim() === '' ? [] : expected[index]!.trim().split(' ').map(Number)
      assert.deepEqual(llama.encode(input, withoutSpecial), ids, JSON.stringify(input))
      assert.equal(llama.decode(ids), input)
    }
  })

  test('counts the tokens of WikiText-2 and the Penn Treebank as the literature does, in seconds', () => {
    const rows = text('wikitext-2/wiki.test.raw').replace(/\n$/, '').split('\n')
    const wikitext = rows.map((row) => (row.trim() === '' ? '' : `${row}\n`)).join('\n\n')
    // Processor time: other tests run at the same time.
    const start = process.cpuUsage()
    const ids = llama.encode(wikitext)
    assert.ok(process.cpuUsage(start).user < 10e6)
    assert.equal(ids.length, 341469)
    assert.deepEqual(ids.slice(0, 8), [1, 29871, 13, 13, 353, 4755, 350, 5059])
    assert.equal(llama.decode(ids), wikitext)

    const sentences = (name: string) => text(name).trimEnd().split('\n').map((line) => line.trim()) // oxfmt-ignore
    assert.equal(llama.encode(sentences('ptb/ptb.valid.txt').join('\n\n')).length, 101988)
    assert.equal(llama.encode(sentences('ptb/ptb.test.txt').join('\n\n')).length, 115047)
  })

  test('gives the ids of the worked examples of evaluation.md', () => {
    const context = 'There is most likely going to be fog around:'
    const contextIds = [1, 1670, 338, 1556, 5517, 2675, 304, 367, 16847, 2820, 29901]
    assert.deepEqual(llama.encode(context), contextIds)
    assert.deepEqual(llama.encode(`${context} a marsh`), [...contextIds, 263, 1766, 845])
    assert.deepEqual(llama.encode(' a marsh', withoutSpecial), [29871, 263, 1766, 845])
    assert.deepEqual(
      llama.encode('Question: dresser\nAnswer: finish, woodgrain with  bobby pin '),
      [1, 894, 29901, 10714, 261, 13, 22550, 29901, 8341, 29892, 8112, 3874, 262, 411, 29871, 289, 711, 1609, 12534, 29871], // oxfmt-ignore
    )
  })

  test('does not double a BOS that the text begins with, and leaves "<unk>" the text that it is', () => {
    assert.deepEqual(llama.encode('<s>Hello'), [1, 15043])
    assert.deepEqual(llama.encode('<s>Hello</s>', withoutSpecial), [1, 15043, 2])
    assert.deepEqual(llama.encode(''), [1])
    assert.equal(llama.encode('a <unk>').includes(0), false)
  })

  test('decodes without special tokens unless asked, and passes over ids that it lacks', () => {
    assert.equal(llama.decode([1, 15043, 3186, 2]), 'Hello world')
    assert.equal(llama.decode([1, 15043, 0, 2], { keepSpecialTokens: true }), '<s> Hello<unk></s>')
    assert.equal(llama.decode([15043, 32000, 3186]), 'Hello world')
    assert.equal(llama.decode([]), '')
    assert.equal(llama.decode([1]), '')
    assert.equal(llama.token(32000), '[32000]')
  })

  test('segments as SentencePiece defines it: best score first, leftmost among equals', () => {
    const { pieces } = parseSentencePiece(model, readFileSync(shared(model)))
    const ids = new Map(pieces.map(({ piece }, id) => [piece, id]))
    const scores = new Map(pieces.flatMap(({ piece, type, score }) => (type === 'normal' ? [[piece, score]] : [])))
    const byteId = (byte: number) => ids.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`)!
    const segment = (input: string) => {
      const symbols = Array.from(` ${input}`.replaceAll(' ', '\u2581'))
      for (;;) {
        let best = -1
        let bestScore = -Infinity
        for (let index = 0; index + 1 < symbols.length; index++) {
          const score = scores.get(symbols[index]! + symbols[index + 1]!) ?? -Infinity
          if (score > bestScore) [best, bestScore] = [index, score]
        }
        if (best < 0) break
        symbols.splice(best, 2, symbols[best]! + symbols[best + 1]!)
      }
      return symbols.flatMap((symbol) =>
        scores.has(symbol) ? ids.get(symbol)! : [...new TextEncoder().encode(symbol)].map(byteId),
      )
    }
    const parts = [' ', '  ', 'a', 'aa', '=', '--', '.', '\n\n', '\t', 'the', '\u2581', '🦙', '中', '//', '<0x', 'é']
    let state = 7
    for (let round = 0; round < 400; round++) {
      let input = ''
      do {
        state = (state * 48271) % 2147483647
        input += parts[state % parts.length]!
      } while (state % 23 > 1)
      assert.deepEqual(llama.encode(input, withoutSpecial), segment(input), JSON.stringify(input))
    }
    for (const character of [' ', '=', '-', 'a', '.']) {
      for (let length = 1; length < 70; length++) {
        const input = character.repeat(length)
        assert.deepEqual(llama.encode(input, withoutSpecial), segment(input), JSON.stringify(input))
      }
    }
  })
})

describe('the stories260K tokenizer', needs('stories260K', 'text/c4_demo.jsonl', 'text/wiki_demo.txt'), () => {
  const tokenizers: Tokenizer[] = []
  test('loads from either file', async () => {
    tokenizers.push(await loadTokenizer(shared('stories260K')))
    tokenizers.push(await loadTokenizer(sentencePieceFolder('stories260K/tokenizer.model')))
    for (const { vocabularySize, bosId, eosId, padId } of tokenizers) {
      assert.deepEqual(
        { vocabularySize, bosId, eosId, padId },
        { vocabularySize: 512, bosId: 1, eosId: 2, padId: null },
      )
    }
  })

  test('gives the ids of oracle.json', () => {
    const oracle = JSON.parse(text('stories260K/oracle.json')) as {
      texts: { text: string; ids: number[]; decoded: string }[]
    }
    assert.ok(oracle.texts.length > 0)
    for (const tokenizer of tokenizers) {
      for (const { text: input, ids, decoded } of oracle.texts) {
        assert.deepEqual(tokenizer.encode(input), ids)
        assert.equal(tokenizer.decode(ids), decoded)
      }
    }
  })

  test('gives the ids of every request in oracle_tasks.json, in both modes', () => {
    interface Request {
      context: string
      continuation: string
      context_ids: number[]
      continuation_ids: number[]
    }
    const { results } = JSON.parse(text('stories260K/oracle_tasks.json')) as {
      results: { mode: 'modern' | 'legacy'; rows: { requests: Request[] }[] }[]
    }
    let requests = 0
    for (const tokenizer of tokenizers) {
      for (const { mode, rows } of results) {
        for (const { context, continuation, context_ids, continuation_ids } of rows.flatMap((row) => row.requests)) {
          requests++
          const special = { specialTokens: mode === 'modern' }
          assert.deepEqual(tokenizer.encode(context, special), context_ids)
          const whole =
            mode === 'modern'
              ? tokenizer.encode(context + continuation).slice(context_ids.length)
              : tokenizer.encode(continuation, special)
          assert.deepEqual(whole, continuation_ids, JSON.stringify(continuation))
        }
      }
    }
    assert.equal(requests, 440)
  })

  test('gives the same ids from tokenizer.model as from tokenizer.json on real text', () => {
    const probes = [
      ...text('text/c4_demo.jsonl').split('\n').slice(0, 100),
      ...text('text/wiki_demo.txt').slice(0, 200_000).split('\n'),
      '',
      ' ',
      '   ',
      '  two  blanks  ',
      '\n \n',
      '\u2581',
      '<0x41>',
      '🦙',
      '<s></s>',
      '<unk> a',
    ]
    const [fromJson, fromModel] = tokenizers
    for (const probe of probes) assert.deepEqual(fromModel!.encode(probe), fromJson!.encode(probe), probe)
    assert.deepEqual(fromModel!.encode('  two  blanks  '), fromModel!.encode('two blanks'))
    assert.deepEqual(fromModel!.encode('   '), [1])
  })
})
