import { areUnnamed } from '../models/encoder-config.ts'
import { badFile } from '../shared/errors.ts'

const plain = (name: string) =>
  name
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]+/gu, ' ')
    .trim()

/**
 * The model's class of each class of some pictures: by name, whatever its capitals and dashes; where the model's classes have
 * no names, or the pictures' are numbers, by number.
 *
 * @param path where the pictures are, for the message
 * @throws SecateurError where a class of the pictures is not the model's
 */
export function matchClasses(classes: readonly string[], labels: readonly string[], path: string): number[] {
  const numbered = classes.every((name, i) => name === String(i))
  if (areUnnamed(labels) || numbered) {
    if (classes.length === labels.length || (numbered && classes.length < labels.length)) return [...classes.keys()]
    throw badFile(path, undefined, `has ${classes.length} classes, and the model tells ${labels.length} apart`)
  }
  const byName = new Map(labels.map((label, i) => [plain(label), i]))
  // ImageNet's labels list synonyms: "tench, Tinca tinca".
  for (const [i, label] of labels.entries())
    for (const synonym of label.split(',')) if (!byName.has(plain(synonym))) byName.set(plain(synonym), i)
  return classes.map((name) => {
    const label = byName.get(plain(name))
    if (label !== undefined) return label
    const known = labels.slice(0, 5).join(', ')
    throw badFile(
      path,
      undefined,
      `has the class "${name}", which the model does not know; it knows ${known}${labels.length > 5 ? ', ...' : ''}`,
    )
  })
}
