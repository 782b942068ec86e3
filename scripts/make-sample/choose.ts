import type { Random } from '../../engine/shared/random.ts'

/** One element, each equally likely. */
export function pick<Element>(random: Random, elements: readonly Element[]): Element {
  if (elements.length === 0) throw new RangeError('nothing to pick from')
  return elements[random.integer(elements.length)]!
}

/** The elements in random order. */
export function shuffled<Element>(random: Random, elements: readonly Element[]): Element[] {
  return Array.from(random.permutation(elements.length), (index) => elements[index]!)
}

/** `count` different elements other than `without`, in random order. Throws RangeError where there are too few. */
export function others<Element>(
  random: Random,
  elements: readonly Element[],
  without: Element,
  count: number,
): Element[] {
  const rest = [...new Set(elements)].filter((element) => element !== without)
  if (rest.length < count) throw new RangeError(`${count} other elements wanted, ${rest.length} there`)
  return shuffled(random, rest).slice(0, count)
}

/** Fills `{name}` places of a sentence; "a" becomes "an" where the filling begins with a vowel. */
export function fill(sentence: string, values: Readonly<Record<string, string>>): string {
  return sentence.replaceAll(/(\ba )?\{(\w+)\}/g, (_whole, article: string | undefined, name: string) => {
    const value = values[name]
    if (value === undefined) throw new RangeError(`"${sentence}" needs a value for {${name}}`)
    return article === undefined ? value : withArticle(value)
  })
}

/** "a baker", "an oven". */
export const withArticle = (noun: string) => `${/^[aeiou]/.test(noun) ? 'an' : 'a'} ${noun}`

export const capitalised = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)
