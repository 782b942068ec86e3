import type { Random } from '../../../engine/shared/random.ts'
import { pick } from '../choose.ts'

const parts = {
  woman: [
    ['Ma', 'Te', 'Li', 'So', 'Ru', 'Ka', 'Ne', 'Vi', 'O', 'Ha', 'Be', 'Fi'],
    ['ri', 'la', 'ne', 'so', 'vi', 'de', 'mi', 'lu', 'ra'],
    ['na', 'la', 'ra', 'sa', 'ta', 'ma'],
  ],
  man: [
    ['Bo', 'Da', 'Ga', 'Jo', 'Ke', 'Lo', 'Pe', 'Ro', 'To', 'Wi', 'A', 'Hu'],
    ['ri', 'la', 'ne', 'so', 'vi', 'de', 'mi', 'lu', 'ra'],
    ['n', 'k', 'rt', 'm', 's', 'ld'],
  ],
  town: [
    ['Dun', 'Hol', 'Bram', 'Wes', 'Tar', 'Kel', 'Mor', 'Ash', 'Fen', 'Gil', 'Osk', 'Lin'],
    [''],
    ['mere', 'brook', 'ford', 'ton', 'haven', 'wick', 'dale', 'stead'],
  ],
  animal: [
    ['mur', 'tas', 'bli', 'gor', 'pel', 'wum', 'zif', 'kro', 'dul', 'nar', 'sko', 'hib'],
    [''],
    ['lo', 'bit', 'dak', 'ren', 'mun', 'pig', 'fer', 'tail'],
  ],
} as const

/** `count` different invented names of one sort. */
export function inventNames(random: Random, sort: keyof typeof parts, count: number): string[] {
  const names = new Set<string>()
  while (names.size < count) names.add(parts[sort].map((choices: readonly string[]) => pick(random, choices)).join(''))
  return [...names]
}
