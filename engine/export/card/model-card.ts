import { writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Compatibility, ImportSettings, Job } from '../../contract/index.ts'
import type { ModelConfig } from '../../models/model-config.ts'
import { familyOf } from '../../models/registry.ts'
import { version } from '../../shared/version.ts'
import { compatibilityOf } from '../compatibility.ts'
import { type BaseModel, cardName, ownTag } from './base-model.ts'
import { readFrontMatter, writeFrontMatter } from './front-matter.ts'
import { loadingText } from './loading.ts'
import { licenseText } from './license.ts'

/** What a model card says. */
export interface CardFacts {
  /** Heading of the card. */
  title: string
  base: BaseModel
  /** How the model comes from its base, in the Hub's words; null where it is the same model. */
  relation: 'finetune' | 'quantized' | 'adapter' | null
  /** What it is, beside that Secateur made it. */
  tags: readonly string[]
  config: ModelConfig
  /** What loads it and how, where it is no checkpoint; the library that the Hub names for it. */
  loading?: { library: string; text: string }
  /** What was done: sentences, tables. */
  sections: readonly string[]
  /** The job as it ran; paths become names. */
  job: Job | ({ kind: 'import' } & ImportSettings)
}

/** Whether Secateur wrote a card, so that it may be replaced. */
export const isOwnCard = (card: string): boolean => readFrontMatter(card).get('tags')?.includes(ownTag) ?? false

/** The text of a model card, README.md, as the Hub reads it. */
export function modelCard({ title, base, relation, tags, config, loading, sections, job }: CardFacts): string {
  const answers = compatibilityOf(config)
  const { license } = base
  const front = writeFrontMatter({
    base_model: base.id,
    base_model_relation: base.id === null ? null : relation,
    library_name: loading?.library ?? (loadedByTransformers(answers) ? 'transformers' : 'secateur'),
    pipeline_tag: familyOf(config).task === 'causal-lm' ? 'text-generation' : 'image-classification',
    license: license?.id ?? null,
    license_name: license?.id === 'other' ? (license.name ?? null) : null,
    license_link: license?.id === 'other' ? (license.link ?? null) : null,
    language: base.languages,
    tags: [ownTag, ...tags],
  })
  const parts = [
    `# ${title}`,
    ...sections,
    ...(loading ? [loading.text] : [programsText(answers), loadingText(config, answers)]),
    `## Licence\n\n${licenseSection(base)}`,
    `## Settings\n\nMade by Secateur ${version}, with this job:\n\n\`\`\`json\n${JSON.stringify(job, withoutFolders, 2)}\n\`\`\``,
  ]
  return `${front}\n\n${parts.join('\n\n')}\n`
}

/** Writes a model card into a folder that is being written. */
export const writeCard = (folder: string, facts: CardFacts): void =>
  writeFileSync(join(folder, cardName), modelCard(facts))

const programsText = (answers: readonly Compatibility[]): string =>
  `## What loads it\n\n${answers.map(({ program, loads, why }) => `- **${program}**: ${loads}. ${why}`).join('\n')}`

const loadedByTransformers = (answers: readonly Compatibility[]): boolean =>
  answers.some(({ program, loads }) => program === 'transformers' && loads === 'yes')

function licenseSection({ name, license, licenseFrom, licenseFiles, hasCard }: BaseModel): string {
  const said = license
    ? `The base model, ${name}, is under the licence ${licenseText(license)}, as its ${licenseFrom} says. This model is made from it, and that licence holds for it too.`
    : `The folder of the base model, ${name}, names no licence. Find out under which terms it may be used before you pass this model on.`
  const texts =
    licenseFiles.length > 0
      ? ` Its ${licenseFiles.join(', ')} lie${licenseFiles.length === 1 ? 's' : ''} beside this card.`
      : ''
  const card = hasCard
    ? ' Its own card is not copied: read it for what the model was trained on, and what it is not for.'
    : ''
  return said + texts + card
}

/** Settings that are paths, or hold paths by name. */
const paths = new Set([
  'file',
  'checkpoint',
  'adapter',
  'out',
  'data',
  'calibrationData',
  'calibrate',
  'validation',
  'images',
  'tasks',
  'perplexity',
  'fewShotFrom',
  'predictions',
  'lmEvalJson',
])

const nameOf = (path: unknown) => (typeof path === 'string' ? basename(path.replaceAll('\\', '/')) : path)

/** A card is for others: where things lay on this computer is none of their business. */
function withoutFolders(name: string, value: unknown): unknown {
  if (!paths.has(name)) return value
  if (Array.isArray(value)) return value.map(nameOf)
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, path]) => [key, nameOf(path)]))
  return nameOf(value)
}
