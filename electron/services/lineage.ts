import type { Lineage } from '../contract/index.ts'
import type { CheckpointRow } from '../database/checkpoints.ts'
import type { Context } from './context.ts'

/** The checkpoint of the library, no adapter, that another was made of. */
export const parentOf = (
  { checkpoints }: Pick<Context, 'checkpoints'>,
  { id }: Pick<CheckpointRow, 'id'>,
): CheckpointRow | undefined =>
  checkpoints
    .parents(id)
    .flatMap((parent) => checkpoints.get(parent) ?? [])
    .find(({ kind, removed }) => kind !== 'adapter' && removed === null)

/** The dense checkpoint of the library that another came from in the end; undefined where it came from none. */
export function denseOf(
  stores: Pick<Context, 'checkpoints'>,
  row: Pick<CheckpointRow, 'id'>,
): CheckpointRow | undefined {
  const seen = new Set([row.id])
  let dense: CheckpointRow | undefined
  for (let at = parentOf(stores, row); at && !seen.has(at.id); at = parentOf(stores, at)) {
    seen.add(at.id)
    dense = at
    if (at.kind === 'base') break
  }
  return dense
}

/** Everything that a checkpoint came from and that was made of it. */
export function lineageOf({ checkpoints, runs }: Pick<Context, 'checkpoints' | 'runs'>, row: CheckpointRow): Lineage {
  const lineage: Lineage = { nodes: [], edges: [] }
  const seen = new Set<number>()
  const visit = (id: number) => {
    const checkpoint = checkpoints.get(id)
    if (!checkpoint || seen.has(id)) return
    seen.add(id)
    const key = `checkpoint-${id}`
    lineage.nodes.push({ key, kind: 'checkpoint', id, name: checkpoint.name, detail: checkpoint.kind, folded: 0 })
    const run = checkpoint.run_id === null ? undefined : runs.get(checkpoint.run_id)
    if (run) {
      lineage.nodes.push({ key: `run-${run.id}`, kind: 'run', id: run.id, name: run.name, detail: run.kind, folded: 0 })
      lineage.edges.push({ from: `run-${run.id}`, to: key })
    }
    for (const parent of checkpoints.parents(id)) {
      lineage.edges.push({ from: `checkpoint-${parent}`, to: run ? `run-${run.id}` : key })
      visit(parent)
    }
    for (const child of checkpoints.children(id)) visit(child)
  }
  visit(row.id)
  return foldSweeps(runs, lineage, row.id)
}

/** A sweep stands for those of its runs that lead to nothing but a checkpoint of their own, where there are two or more. */
function foldSweeps(runs: Context['runs'], { nodes, edges }: Lineage, current: number): Lineage {
  const leads = new Set(edges.map(({ from }) => from))
  /** By key of a run or of what it wrote, the sweep. */
  const sweepOf = new Map<string, number>()
  for (const node of nodes) {
    const parent = node.kind === 'run' ? runs.get(node.id)?.parent_id : null
    const sweep = parent ? runs.get(parent) : undefined
    const outputs = edges.filter(({ from }) => from === node.key).map(({ to }) => to)
    const isLeaf = outputs.every((key) => !leads.has(key) && key !== `checkpoint-${current}`)
    if (sweep?.kind !== 'sweep' || sweep.removed !== null || !isLeaf) continue
    for (const key of [node.key, ...outputs]) sweepOf.set(key, sweep.id)
  }
  const folded = Map.groupBy(
    nodes.filter(({ key, kind }) => kind === 'run' && sweepOf.has(key)),
    ({ key }) => sweepOf.get(key)!,
  )
  const isFolded = (key: string) => (folded.get(sweepOf.get(key) ?? 0)?.length ?? 0) > 1
  const sweeps = [...folded].filter(([, own]) => own.length > 1)
  const into = edges
    .filter(({ from, to }) => isFolded(to) && !isFolded(from))
    .map(({ from, to }) => ({ from, to: `run-${sweepOf.get(to)}` }))
  return {
    nodes: [
      ...nodes.filter(({ key }) => !isFolded(key)),
      ...sweeps.map(([id, own]) => {
        const { name, kind } = runs.get(id)!
        return { key: `run-${id}`, kind: 'run' as const, id, name, detail: kind, folded: own.length }
      }),
    ],
    edges: [
      ...edges.filter(({ from, to }) => !isFolded(from) && !isFolded(to)),
      ...new Map(into.map((edge) => [`${edge.from} ${edge.to}`, edge])).values(),
    ],
  }
}
