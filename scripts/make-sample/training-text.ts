import { Random } from '../../engine/shared/random.ts'
import { pick, shuffled } from './choose.ts'
import { portrait } from './prose/portrait.ts'
import { aboutThing, accident, careOf, deed, meeting, work } from './prose/stories.ts'
import { tasks, trainingQuestion } from './questions/tasks.ts'
import { training } from './recipe.ts'
import type { Kind } from './world/attributes.ts'
import { makeWorld, type World } from './world/world.ts'

/** The gap that the perplexity of a WikiText file puts between its paragraphs. */
const paragraphGap = '\n\n\n'

/**
 * Documents about the world of `seed`, the same ones at every call. `part` names a stream of documents of its own: the
 * text for training and the text for healing are two parts.
 */
export function trainingText(
  seed: number,
  { documents = training.documents as number, part = 'training' } = {},
): string[] {
  const world = makeWorld(seed)
  const random = new Random(seed).fork(`text ${part}`)
  return Array.from({ length: documents }, () =>
    random.uniform() < proseShare ? proseDocument(world, random) : questionDocument(world, random),
  )
}

const proseShare = 0.35

/** Paragraphs of prose that are not in `seen`; what is held out of the training text is held out of them too. */
export function unseenParagraphs(seed: number, seen: ReadonlySet<string>, characters: number): string[] {
  const world = makeWorld(seed)
  const random = new Random(seed).fork('unseen paragraphs')
  const paragraphs = new Set<string>()
  for (let length = 0; length < characters;) {
    const text = paragraph(world, random)
    if (seen.has(text) || paragraphs.has(text)) continue
    paragraphs.add(text)
    length += text.length
  }
  return [...paragraphs]
}

/** The paragraphs of a document. */
export const paragraphsOf = (document: string) => document.split(paragraphGap)

function proseDocument(world: World, random: Random): string {
  return Array.from({ length: 1 + random.integer(2) }, () => paragraph(world, random)).join(paragraphGap)
}

const tasksByShare = tasks.flatMap((task) => Array.from({ length: task.share }, () => task))

function questionDocument(world: World, random: Random): string {
  const task = pick(random, tasksByShare)
  if (task.series && random.uniform() < 0.5) return task.series(world, random)
  // Several questions of a task follow one another as worked examples do.
  return Array.from({ length: 1 + random.integer(3) }, () => trainingQuestion(world, random, task)).join('\n\n')
}

function paragraph(world: World, random: Random): string {
  const kind = random.uniform()
  if (kind < 0.5) {
    const [of] = shuffled<Kind>(random, ['person', 'person', 'person', 'animal', 'town', 'trade'])
    const attributes = shuffled(random, world.attributes[of!])
    const subject = pick(random, world.subjects[of!])
    return portrait(world, random, subject, attributes.slice(0, 3 + random.integer(attributes.length - 2)))
  }
  // A whole piece of work takes many words and is learnt soon.
  if (kind < 0.53) return work(world, random)
  return pick(random, [aboutThing, accident, careOf, deed, meeting])(world, random)
}
