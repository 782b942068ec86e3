import type { CheckpointSummary } from '../../../../electron/contract/index.ts'

/** What stands in the list: a checkpoint, or a sweep in place of those that its runs wrote. */
export type Entry =
  | { readonly type: 'checkpoint'; readonly checkpoint: CheckpointSummary; readonly under: boolean }
  | {
      readonly type: 'sweep'
      readonly sweep: NonNullable<CheckpointSummary['sweep']>
      readonly members: readonly CheckpointSummary[]
      readonly open: boolean
    }

/** Checkpoints of a sweep under it, at the place of the first of them, where there are two or more; all others as they come. */
export function foldSweeps(checkpoints: readonly CheckpointSummary[], isOpen: (sweep: number) => boolean): Entry[] {
  const bySweep = Map.groupBy(checkpoints, ({ sweep }) => sweep?.id ?? null)
  const placed = new Set<number>()
  return checkpoints.flatMap((checkpoint): Entry[] => {
    const { sweep } = checkpoint
    const members = sweep ? bySweep.get(sweep.id)! : []
    if (!sweep || members.length < 2) return [{ type: 'checkpoint', checkpoint, under: false }]
    if (placed.has(sweep.id)) return []
    placed.add(sweep.id)
    const open = isOpen(sweep.id)
    const under = open ? members.map((one) => ({ type: 'checkpoint', checkpoint: one, under: true }) as const) : []
    return [{ type: 'sweep', sweep, members, open }, ...under]
  })
}

/** Tells entries apart. */
export const keyOfEntry = (entry: Entry): string =>
  entry.type === 'sweep' ? `sweep-${entry.sweep.id}` : String(entry.checkpoint.id)

/** "1.2M–2.08M", or the one number that all have. */
export function parameterRange(
  members: readonly Pick<CheckpointSummary, 'parameters'>[],
  text: (parameters: number) => string,
): string {
  const all = members.map(({ parameters }) => parameters)
  const [least, most] = [text(Math.min(...all)), text(Math.max(...all))]
  return least === most ? least : `${least}–${most}`
}
