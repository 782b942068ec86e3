// npm run screenshots: makes the README's screenshots of the app out of real runs on the sample, in the installed Chromium.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { chromium, type Page } from '@playwright/test'
import sharp from 'sharp'
import { AppClient } from './app-client.ts'
import { HeadlessHost, root, sample } from './headless-host.ts'

const { values } = parseArgs({
  options: {
    out: { type: 'string', default: join(root, 'docs/images') },
    chromium: { type: 'string', default: '/usr/bin/chromium' },
    steps: { type: 'string', default: '200' },
    /** Every screen in both sizes and both themes, to look at. */
    all: { type: 'boolean', default: false },
  },
})
mkdirSync(values.out, { recursive: true })
const vision = join(root, 'resources/sample-vit')

const host = new HeadlessHost()
await host.start('--allow', sample, '--allow', vision)
const app = await AppClient.connect(host.address)
const browser = await chromium.launch({ executablePath: values.chromium, args: ['--no-sandbox', '--disable-gpu'] })
try {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 }, locale: 'en-GB' })
  await page.goto(host.address)
  if (values.all) await shoot(page, 'library-empty', 'library')
  const model = await app.call('library.import', { path: join(sample, 'model') })
  await app.call('library.update', { id: model.id, name: 'sample', favourite: true, tags: ['sample'] })
  const data = await app.call('datasets.register', { path: join(sample, 'train.jsonl') })
  await app.call('datasets.register', { path: join(sample, 'instructions.json') })

  const first = await prune('LoRAPrune, half', {})
  await running(first.id, Number(values.steps) / 2)
  await shoot(page, 'live-run', `runs/${first.id}`)
  await finished(first.id)
  const second = await prune('Magnitude, half', { criterion: 'magnitude' })
  const third = await prune('LoRAPrune, a third', { ratio: 1 / 3 })
  await finished(second.id)
  await finished(third.id)
  const ids = [first.id, second.id, third.id]

  await shoot(page, 'library', 'library')
  await shoot(page, 'compare', `compare?runs=${ids.join(',')}`)
  await shoot(page, 'playground', await askInPlayground(page, first.id))
  await shoot(page, 'predictions', `runs/${first.id}`, 'Predictions')
  await shoot(page, 'planner', `runs/${first.id}`, 'Plan another budget')
  const output = (await app.call('library.list', undefined)).find(({ name }) => name === 'LoRAPrune, half')!
  await shoot(page, 'export', `runs/${(await exportToGguf(output.path)).id}`)
  await shoot(page, 'changed-images', `runs/${(await pruneImages()).id}`, 'Images that changed')
  if (values.all) {
    await shoot(page, 'checkpoint', `library/${output.id}`)
    await shoot(page, 'datasets', 'datasets')
    await shoot(page, 'dataset', `datasets/${data.id}`)
    await shoot(page, 'new-run', `new?kind=prune&checkpoint=${model.id}`)
    await shoot(page, 'new-sweep', `new?kind=sweep&figure=criteria&checkpoint=${model.id}`)
    await shoot(page, 'run-done', `runs/${first.id}`)
    const { kind: _, checkpoint, out: __, ...base } = jobWith({ steps: 20 })
    const lists = { seed: [0, 1], criterion: ['loraprune', 'magnitude'] }
    const sweep = await app.call('runs.create', {
      name: 'Two criteria, two seeds',
      job: { kind: 'sweep', checkpoint, base: { ...base, evaluateDense: false }, values: lists },
    })
    await finished(sweep.id)
    await shoot(page, 'sweep', `runs/${sweep.id}`)
    await shoot(page, 'history', 'history')
    await shoot(page, 'settings', 'settings')
  }
} finally {
  await browser.close()
  app.close()
  await host.remove()
}

function task(file: string) {
  return join(sample, 'tasks', file)
}

function prune(name: string, settings: Record<string, unknown>) {
  return app.call('runs.create', { name, job: jobWith(settings) })
}

function jobWith(settings: Record<string, unknown>) {
  return {
    kind: 'prune',
    checkpoint: join(sample, 'model'),
    data: [join(sample, 'train.jsonl')],
    out: '',
    steps: Number(values.steps),
    batchSize: 8,
    sequenceLength: 64,
    learningRate: 2e-3,
    rank: 16,
    alpha: 32,
    seed: 1,
    saveEvery: 20,
    sampleEvery: 20,
    samplePrompts: ['The baker of'],
    evaluateDense: true,
    evaluation: {
      tasks: { piqa: task('piqa/valid.jsonl'), arc_easy: task('arc/ARC-Easy-Test.jsonl') },
      perplexity: { wikitext2: join(sample, 'heldout.txt') },
      limit: 80,
      latency: true,
    },
    ...settings,
  }
}

/** Writes a checkpoint as GGUF, and waits for its proof. */
async function exportToGguf(checkpoint: string) {
  const job = { kind: 'export', checkpoint, format: 'gguf', type: 'q8_0', out: join(host.data, 'sample-q8_0.gguf') }
  const run = await app.call('runs.create', { name: 'LoRAPrune, half, for llama.cpp', job })
  await finished(run.id)
  return run
}

/** Prunes the sample of images by half, and waits for its scores. */
async function pruneImages() {
  await app.call('library.import', { path: join(vision, 'model') })
  await app.call('datasets.register', { path: vision })
  const run = await app.call('runs.create', {
    name: 'Images, half',
    job: {
      kind: 'prune',
      checkpoint: join(vision, 'model'),
      data: [vision],
      out: '',
      ratio: 0.5,
      ratioOf: 'parameters',
      steps: 60,
      frequency: 5,
      batchSize: 64,
      learningRate: 2e-3,
      rank: 16,
      alpha: 32,
      evaluateDense: true,
      evaluation: { images: vision },
    },
  })
  await finished(run.id)
  return run
}

async function running(id: number, step: number): Promise<void> {
  for (;;) {
    const run = await app.call('runs.get', { id })
    if (['failed', 'done'].includes(run.state) || (run.progress?.step ?? 0) >= step) return
    await sleep(100)
  }
}

async function finished(id: number): Promise<void> {
  for (;;) {
    const run = await app.call('runs.get', { id })
    if (run.state === 'failed') throw new Error(run.reason ?? 'the run failed')
    if (run.state === 'done') return
    await sleep(250)
  }
}

/** Lets a run's checkpoint and its result continue a prompt. @returns the address of the question */
async function askInPlayground(page: Page, run: number): Promise<string> {
  // Where it is narrow its settings are folded.
  await page.setViewportSize({ width: 1440, height: 900 })
  await page.goto(`${host.origin}/#/playground?run=${run}`)
  await page.getByRole('textbox', { name: 'Prompt' }).fill('The baker of')
  await page.getByLabel('Max new tokens').fill('40')
  await page.getByRole('switch', { name: 'Log-probabilities' }).click()
  await page.getByRole('button', { name: 'Generate' }).click()
  await page
    .getByText(/ended (by|at)/)
    .nth(1)
    .waitFor()
  await page.getByRole('option').nth(3).hover()
  return new URL(page.url()).hash.slice(2)
}

/** @param region scrolled to its top first */
async function shoot(page: Page, name: string, address: string, region?: string): Promise<void> {
  await page.goto(`${host.origin}/#/${address}`)
  for (const [width, height] of values.all ? [[1440, 900] as const, [1024, 700] as const] : [[1440, 900] as const]) {
    for (const theme of values.all ? (['light', 'dark'] as const) : (['light'] as const)) {
      await page.setViewportSize({ width, height })
      await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' })
      // Charts draw once they know their size, and bars have come to rest.
      await sleep(700)
      if (region) {
        await page.getByRole('region', { name: region, exact: true }).evaluate((node) => node.scrollIntoView())
        await sleep(700)
      }
      const shot = await page.screenshot()
      const file = values.all ? `${name}-${width}-${theme}.png` : `${name}.png`
      await sharp(shot).png({ palette: true, effort: 10 }).toFile(join(values.out, file))
      console.error(file)
    }
  }
}
