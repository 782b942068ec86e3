// How the text after a flag is read.
import { existsSync } from 'node:fs'
import { InvalidArgumentError } from 'commander'

export function asNumber(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('a number is expected.')
  return value
}

/** A number is one; anything else is a path, and so is ./0.1. */
export function asPathOrNumber(text: string): string | number {
  const value = Number(text)
  return text.trim() === '' || !Number.isFinite(value) ? text : value
}

const collected = (before: unknown): string[] => (Array.isArray(before) ? (before as string[]) : [])

export const collectTexts = (text: string, before: unknown): string[] => [...collected(before), text]

/** Parser of names and numbers, between which commas stand too. */
export const collectItems = (text: string, before: unknown): string[] => [
  ...collected(before),
  ...text.split(',').filter((item) => item !== ''),
]

/** Parser of paths: a comma is part of one, and several follow each other or repeat the flag. */
export function collectPaths(text: string, before: unknown): string[] {
  const isList = text.includes(',') && !existsSync(text) && text.split(',').some((part) => existsSync(part))
  if (isList)
    throw new InvalidArgumentError(
      'there is nothing of this name. A comma is part of a path: name several one after the other, or repeat the flag.',
    )
  return [...collected(before), text]
}

/** Parser of repeated NAME=FILE flags. */
export const collectAssignments =
  (flag: string) =>
  (text: string, before: unknown): Record<string, string> => {
    const at = text.indexOf('=')
    if (at < 1 || at === text.length - 1) throw new InvalidArgumentError(`--${flag} wants NAME=FILE.`)
    const earlier = (before ?? {}) as Record<string, string>
    const [name, file] = [text.slice(0, at), text.slice(at + 1)]
    if (name === '__proto__')
      throw new InvalidArgumentError('__proto__ means something else to JavaScript: choose another name.')
    if (Object.hasOwn(earlier, name))
      throw new InvalidArgumentError(
        `--${flag} names ${name} twice, for ${earlier[name]} and for ${file}: a name stands for one.`,
      )
    return { ...earlier, [name]: file }
  }
