import { jobSchema } from '../../engine/contract/index.ts'
import { fromFloat32 } from '../../engine/checkpoint/dtype.ts'
import { writeSafetensors } from '../../engine/checkpoint/safetensors-writer.ts'
import { writePatches } from '../../engine/data/images/patches.ts'
import { runJob } from '../../engine/jobs/index.ts'
import { lowRankOf } from '../../engine/lora/adapter.ts'
import { loadAdapter } from '../../engine/lora/load-adapter.ts'
import { openCheckpoint } from '../../engine/models/checkpoint.ts'
import { type EncoderConfig, patchCount } from '../../engine/models/encoder-config.ts'
import { classLogits, embedBatch, forward } from '../../engine/models/forward.ts'
import { disposeModel, loadModel } from '../../engine/models/load.ts'
import { Random } from '../../engine/shared/random.ts'
import { VISION_FIXTURES, visionModel, type VisionFixtureName } from '../fixtures/vision.ts'
import { writeImage } from '../unit/data/images/image-files.ts'
import type { Judge } from './judge.ts'
import { startBackend } from './ours.ts'
import { difference, table } from './tables.ts'
import { agrees } from './verdicts.ts'
import type { Question, Workshop } from './workshop.ts'

const colours = { red: [220, 30, 40], green: [30, 200, 60], blue: [40, 50, 230] }
const classes = Object.keys(colours).length
const images = 3

/** What is done with every model, and which program loads what comes of it. */
const done = {
  'channels alone pruned': { kind: 'prune', prune: ['channels'], ratio: 0.5 },
  'half of heads and channels pruned': { kind: 'prune', ratio: 0.5 },
  'fine-tuned and merged': { kind: 'finetune' },
} as const

/** transformers, timm and PEFT load classifiers of images that Secateur pruned, trained and merged. */
export const visionJudge: Judge = {
  name: 'vision',
  title: 'Models of images, loaded by transformers, timm and PEFT',
  async judge({ workshop, say }) {
    await startBackend()
    const data = await drawn(workshop)
    const questions: Question[] = []
    for (const model of VISION_FIXTURES) {
      say(`Secateur prunes, trains and merges ${model}`)
      questions.push(...(await questionsOf(model, data, workshop)))
    }
    const written = VISION_FIXTURES.filter((model) => programOf(model) === 'transformers').map((model) => ({
      model,
      what: 'an adapter that PEFT wrote',
      program: 'transformers',
      folder: visionModel(model),
      adapter: workshop.path(`${model}-of-peft`),
      classes,
    }))
    await workshop.ask(
      'vision_judge.py',
      written.map((question) => ({ ...question, writes: true })),
    )
    for (const question of written) questions.push(answered(question, workshop))
    say(`transformers, timm and PEFT answer ${questions.length} questions`)
    const { versions, verdicts } = await workshop.ask('vision_judge.py', questions)
    const rows = verdicts.map((verdict) => ({
      model: verdict.model,
      what: verdict.what,
      'loaded by': programOf(verdict.model as VisionFixtureName),
      'logits differ by': isRefusedByTimm(verdict) ? 'refuses it' : (verdict.error ?? difference(verdict.logits)),
    }))
    const expected = verdicts.filter((verdict) => !isRefusedByTimm(verdict))
    return {
      agrees: expected.every(agrees),
      versions,
      text: `Images of three classes that the models do not know: each gets a new classifier. timm takes as many heads as
fill the hidden size, and refuses a model with fewer; Secateur alone loads that.\n\n${table(rows)}`,
    }
  },
}

const programOf = (model: VisionFixtureName) => (model === 'vit_timm' ? 'timm' : 'transformers')

/** timm has no size of a head, and says so by refusing the weights. */
const isRefusedByTimm = ({ model, what, error }: { model: string; what: string; error?: string | undefined }) =>
  model === 'vit_timm' && what.includes('heads') && error !== undefined

async function drawn(workshop: Workshop): Promise<string> {
  const data = workshop.path('images')
  for (const [name, colour] of Object.entries(colours))
    for (let i = 0; i < 4; i++)
      await writeImage(`${data}/${name}/${i}.png`, { colour: colour.map((value) => value + 4 * i - 8) })
  return data
}

const run = (job: object) =>
  runJob(jobSchema.parse(job), { emit: () => {}, signal: new AbortController().signal, resume: false })

async function questionsOf(model: VisionFixtureName, data: string, workshop: Workshop): Promise<Question[]> {
  const questions: Question[] = []
  const checkpoint = visionModel(model)
  for (const [what, settings] of Object.entries(done)) {
    const out = workshop.path(model, what.replaceAll(' ', '-'))
    const training = { data: [data], batchSize: 4, steps: 6, learningRate: 1e-2, rank: 2, device: 'onnx' }
    const pruning = settings.kind === 'prune' ? { frequency: 1 } : {}
    const result = await run({ ...training, ...pruning, ...settings, checkpoint, out })
    const question = { model, what, program: programOf(model), classes }
    if (result.checkpoint !== undefined) {
      questions.push(answered({ ...question, folder: result.checkpoint }, workshop))
      continue
    }
    const { adapter } = result
    const merged = await run({ kind: 'merge', checkpoint, adapter, out: `${out}-merged` })
    questions.push(
      answered(
        { ...question, what: 'an adapter and a new classifier', folder: checkpoint, adapter: adapter! },
        workshop,
      ),
      answered({ ...question, folder: merged.checkpoint! }, workshop),
    )
  }
  return questions
}

const tensor = (name: string, shape: number[], values: Float32Array) => ({
  name,
  dtype: 'float32' as const,
  shape,
  bytes: fromFloat32(values, 'float32'),
})

interface Asked extends Question {
  folder: string
  adapter?: string
}

/** A question with Secateur's answer in a file: `pixels` [images, colours, height, width] and `logits` [images, classes]. */
function answered(question: Asked, workshop: Workshop): Question {
  const { model: name, what, folder, adapter: path } = question
  using checkpoint = openCheckpoint(folder)
  const adapter = path === undefined ? null : loadAdapter(path, checkpoint)
  const config = (adapter?.config ?? checkpoint.config) as EncoderConfig
  const model = loadModel(checkpoint)
  const [height, width] = config.imageSize
  const size = config.colours * height * width
  const random = new Random(5)
  const pixels = Float32Array.from({ length: images * size }, () => random.normal())
  const patches = new Float32Array(images * patchCount(config) * config.patchValues)
  for (let image = 0; image < images; image++)
    writePatches(
      pixels.subarray(image * size, (image + 1) * size),
      config,
      patches,
      image * patchCount(config) * config.patchValues,
    )
  using pass = model.family.makePass(config, images, config.maxPositions)
  const x = forward(model, embedBatch(model, { patches }), pass, {
    extras: (layer) => (adapter ? { lowRank: lowRankOf(adapter, layer) } : {}),
  })
  const logits = classLogits(x, model, pass, adapter?.classifier).dataSync() as Float32Array
  disposeModel(model)
  const answers = workshop.path(`${name}-${what}.safetensors`.replaceAll(' ', '-'))
  writeSafetensors(answers, [
    tensor('pixels', [images, config.colours, height, width], pixels),
    tensor('logits', [images, config.labels.length], logits),
  ])
  return { ...question, answers }
}
