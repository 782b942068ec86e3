import type { Comparison } from '../../../../electron/contract/index.ts'

/** A run of a comparison as every part of the page names and draws it. */
export interface ComparedRun {
  readonly id: number
  readonly label: string
  /** Place in the palette, from 0. */
  readonly style: number
}

/** Runs of the same name are told apart by their number. */
export const comparedRuns = ({ runs }: Pick<Comparison, 'runs'>): ComparedRun[] =>
  runs.map(({ id, name }, style) => ({
    id,
    style,
    label: runs.some((other) => other.id !== id && other.name === name) ? `${name} (run ${id})` : name,
  }))
