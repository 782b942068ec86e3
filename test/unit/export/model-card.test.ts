import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { exportSchema, finetuneSchema, type PruneJob, pruneSchema } from '../../../engine/contract/index.ts'
import { baseModelOf } from '../../../engine/export/card/base-model.ts'
import { finetunedCard } from '../../../engine/export/card/finetuned.ts'
import { readFrontMatter, writeFrontMatter } from '../../../engine/export/card/front-matter.ts'
import { licenseOfText } from '../../../engine/export/card/license.ts'
import { modelCard } from '../../../engine/export/card/model-card.ts'
import { prunedCard } from '../../../engine/export/card/pruned.ts'
import { exportCheckpoint } from '../../../engine/jobs/export.ts'
import { openCheckpoint } from '../../../engine/models/checkpoint.ts'
import { fixtureModel } from '../../fixtures/read.ts'
import { temporaryFolder } from '../checkpoint/safetensors-bytes.ts'

const job: PruneJob = pruneSchema.parse({
  kind: 'prune',
  checkpoint: '/home/someone/models/tiny',
  out: '/home/someone/runs/first',
  data: ['/home/someone/texts/private.jsonl'],
  evaluation: { perplexity: { wikitext2: '/home/someone/wiki.test.raw' } },
})

function folderWith(context: TestContext, files: Record<string, string>, name = 'tiny'): string {
  const folder = join(temporaryFolder(context), name)
  mkdirSync(folder, { recursive: true })
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text)
  return folder
}

test('front matter is read as far as a card needs it, whatever stands in it', () => {
  const fields = readFrontMatter(
    [
      '---',
      'license: "apache-2.0" # as it was',
      "license_name: 'someone''s own'",
      'language: [en, "no"]',
      'tags:',
      '- one',
      '  - two',
      'base_model:   org/name',
      'model-index:',
      '  - name: nested',
      '    results: []',
      'description: |',
      '  license: mit',
      '---',
      'license: gpl',
    ].join('\r\n'),
  )
  assert.deepEqual(
    ['license', 'license_name', 'language', 'tags', 'base_model'].map((name) => fields.get(name)),
    [['apache-2.0'], ["someone's own"], ['en', 'no'], ['one', 'two'], ['org/name']],
  )
  for (const text of ['', 'no front matter', '---\nlicense: mit', '---', 'text\n---\nlicense: mit\n---\n'])
    assert.equal(readFrontMatter(text).size, 0)
  const written = writeFrontMatter({
    license: 'mit',
    name: 'a: b\n"c"',
    empty: null,
    language: ['en', 'no', '1.0'],
    none: [],
  })
  assert.equal(written, '---\nlicense: mit\nname: "a: b\\n\\"c\\""\nlanguage:\n- en\n- "no"\n- "1.0"\n---')
})

test("a base's licence is found in its card, its config, or its licence text, in this order", (context) => {
  const mit = 'MIT License\n\nCopyright (c)'
  const card = '---\nlicense: other\nlicense_name: own\nlicense_link: LICENSE\nlanguage: en\n---\n# Tiny\n'
  const all = folderWith(context, { 'README.md': card, LICENSE: mit, 'NOTICE.txt': 'thanks', 'licenses.json': '{}' })
  const base = baseModelOf(all, { license: 'gemma', _name_or_path: 'org/tiny' })
  assert.deepEqual(base, {
    name: 'org/tiny',
    id: 'org/tiny',
    license: { id: 'other', name: 'own', link: 'LICENSE' },
    licenseFrom: 'README.md',
    languages: ['en'],
    licenseFiles: ['LICENSE', 'NOTICE.txt'],
    hasCard: true,
    isOurs: false,
    relation: null,
    history: [],
  })
  const config = baseModelOf(folderWith(context, { LICENSE: mit }), { license: 'gemma' })
  assert.deepEqual(
    [config.license, config.licenseFrom, config.id, config.name],
    [{ id: 'gemma' }, 'config.json', null, 'tiny'],
  )
  const text = baseModelOf(folderWith(context, { 'LICENCE.md': mit }), { _name_or_path: '/home/someone/tiny' })
  assert.deepEqual([text.license, text.licenseFrom, text.id], [{ id: 'mit' }, 'LICENCE.md', null])
  const nothing = baseModelOf(folderWith(context, {}), {})
  assert.deepEqual([nothing.license, nothing.licenseFrom], [null, null])
  const cache = folderWith(context, {}, 'models--org--tiny/snapshots/0123')
  assert.equal(baseModelOf(cache, {}).id, 'org/tiny')
})

test('a licence text that nobody knows is a licence of its own, and links out of the folder are not followed', (context) => {
  assert.deepEqual(licenseOfText('\n\n  Apache License\n   Version 2.0, January 2004', 'LICENSE'), { id: 'apache-2.0' })
  assert.deepEqual(licenseOfText('LLAMA 3.1 COMMUNITY LICENSE AGREEMENT', 'LICENSE'), { id: 'llama3.1' })
  const other = { id: 'other', name: 'Our <terms>'.replaceAll(/[<>]/g, ''), link: 'LICENSE' }
  assert.deepEqual(licenseOfText('=====\n# Our <terms>\nmore', 'LICENSE'), other)
  const folder = folderWith(context, { secret: 'x' })
  const linking = folderWith(context, {})
  symlinkSync(join(folder, 'secret'), join(linking, 'LICENSE'))
  assert.deepEqual(baseModelOf(linking, {}).licenseFiles, [])
})

test("a pruned model's card says what was done, under which licence, and nothing of this computer", (context) => {
  using checkpoint = openCheckpoint(fixtureModel('llama_gqa'))
  const folder = folderWith(context, { 'README.md': '---\nlicense: llama2\nbase_model: org/ancestor\n---\n# `Tiny`' })
  const base = baseModelOf(folder, checkpoint.config.source)
  const pruned = {
    ...checkpoint.config,
    layers: [{ heads: 2, keyValueHeads: 1, channels: 9 }, checkpoint.config.layers[1]!],
  }
  const scores = {
    tasks: { piqa: { acc: 0.5, accNorm: 0.25, stderr: 0.1, stderrNorm: null, n: 10 } },
    perplexity: { text: { value: 12.3456, tokens: 10, scored: 9, windows: 1, window: 128, protocol: 'x' } },
  }
  const facts = prunedCard(job, base, { checkpoint, config: pruned, steps: 20, scores, dense: null })
  const card = modelCard(facts)
  const fields = readFrontMatter(card)
  assert.deepEqual(Object.fromEntries(fields), {
    base_model: ['org/ancestor'],
    base_model_relation: ['finetune'],
    library_name: ['secateur'],
    pipeline_tag: ['text-generation'],
    license: ['llama2'],
    tags: ['secateur', 'pruned', 'loraprune'],
  })
  for (const text of [
    /^# tiny, pruned to \d+% of its parameters$/m,
    /A LoRA adapter of rank 8 was trained for 20 steps/,
    /\| 0 \| 2 \| 1 \| 9 \|/,
    /\| PIQA, acc \| 50\.00% ± 10\.00 \|/,
    /\| PIQA, acc_norm \| 25\.00% \|/,
    /\| perplexity of text, windows of 128 tokens \| 12\.346 \|/,
    /licence llama2, as its README\.md says/,
    /\*\*transformers\*\*: no\. Layers have different numbers/,
    /config = copy\.deepcopy/,
    /"checkpoint": "tiny"/,
    /"private\.jsonl"/,
  ])
    assert.match(card, text)
  assert.doesNotMatch(card, /someone/)
  const whole = modelCard(
    prunedCard(job, base, { checkpoint, config: checkpoint.config, steps: 0, scores: null, dense: null }),
  )
  assert.equal(readFrontMatter(whole).get('library_name')![0], 'transformers')
  assert.match(whole, /AutoModelForCausalLM\.from_pretrained\("FOLDER"\)/)
  assert.match(whole, /Nothing was trained/)
  assert.doesNotMatch(whole, /## Scores/)
  // What was made from it says so, and has the licence on its way.
  const again = baseModelOf(folderWith(context, { 'README.md': card }, 'output'), {})
  assert.deepEqual([again.id, again.license], ['org/ancestor', { id: 'llama2', name: undefined, link: undefined }])
  assert.match(again.name, /^tiny, pruned to/)
  assert.deepEqual([again.isOurs, again.relation], [true, 'finetune'])
})

test('a GGUF file says in its keys what its card says, and a card of somebody else is left alone', async (context) => {
  const card = [
    '---\nlicense: llama2\nbase_model: org/ancestor\nbase_model_relation: finetune\nlanguage: en\ntags:\n- secateur\n- pruned\n---',
    '# tiny, pruned to 60%',
    'tiny, pruned: heads left at once.',
    '## Size\n\nsmall',
    '## Scores\n\n| PIQA | 50% |',
    '## Licence\n\nllama2\n',
  ].join('\n\n')
  const folder = folderWith(context, { 'README.md': card }, 'output')
  for (const name of ['config.json', 'model.safetensors'])
    copyFileSync(join(fixtureModel('llama_gqa'), name), join(folder, name))
  const warnings: string[] = []
  const exported = (checkpoint: string, name: string, type: string) =>
    exportCheckpoint(
      exportSchema.parse({ kind: 'export', format: 'gguf', checkpoint, out: join(folder, name), type, proof: false }),
      {
        emit: (event) => void (event.type === 'warning' && warnings.push(event.message)),
        signal: new AbortController().signal,
        resume: false,
      },
    )
  await exported(folder, 'small.gguf', 'q8_0')
  const written = readFileSync(join(folder, 'small.README.md'), 'utf8')
  for (const text of [
    /^base_model: org\/ancestor\nbase_model_relation: finetune\nlibrary_name: gguf$/m,
    /^# tiny, pruned to 60%, as GGUF, its weights in q8_0$/m,
    /## How it was made\n\ntiny, pruned: heads left at once\.\n\n## Scores\n\n\| PIQA/,
    /llama-cli -m small\.gguf/,
    /licence llama2, as its README\.md says/,
  ])
    assert.match(written, text)
  // What is made from the file knows it from the keys.
  const base = baseModelOf(join(folder, 'small.gguf'), {})
  assert.deepEqual(
    [base.name, base.id, base.license, base.licenseFrom, base.languages, base.isOurs, base.history],
    [
      'tiny, pruned to 60%',
      'org/ancestor',
      { id: 'llama2' },
      'key general.license',
      ['en'],
      true,
      ['tiny, pruned: heads left at once.'],
    ],
  )
  writeFileSync(join(folder, 'mine.README.md'), '# Mine')
  warnings.length = 0
  await exported(join(folder, 'small.gguf'), 'mine.gguf', 'f16')
  assert.equal(readFileSync(join(folder, 'mine.README.md'), 'utf8'), '# Mine')
  assert.ok(
    warnings.some((text) => /mine\.README\.md is not a card that Secateur wrote/.test(text)),
    warnings.join('\n'),
  )
})

test("an adapter's card says what it is trained on, and how it is loaded", () => {
  using checkpoint = openCheckpoint(fixtureModel('llama_gqa'))
  const { checkpoint: from, out, data } = job
  const tuned = finetuneSchema.parse({ kind: 'finetune', checkpoint: from, out, data, validation: '/home/someone/v' })
  const validation = { file: 'v', seed: 0, rows: 1, targets: 9, last: 2, best: { step: 7, loss: 1.5 }, written: 7 }
  const base = baseModelOf(fixtureModel('llama_gqa'), {})
  const card = modelCard(finetunedCard(tuned, base, { config: checkpoint.config, steps: 20, loss: 1.25, validation }))
  for (const text of [
    /^library_name: peft$/m,
    /of rank 8 .* of llama_gqa, trained for 20 steps/,
    /last step was 1\.2500\. It is that of step 7, whose loss on validation data was the least, 1\.5000\./,
    /PeftModel\.from_pretrained/,
    /names no licence/,
  ])
    assert.match(card, text)
  assert.doesNotMatch(card, /someone/)
})
