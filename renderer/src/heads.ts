import { count, none } from './format.ts'

/** Query heads of a layer, and the heads of keys and values that groups of them share. */
export interface Heads {
  readonly heads: number
  readonly keyValueHeads: number
}

/** "11,008" where all are the same, else "5,504 to 11,008". */
export function range(values: readonly number[]): string {
  if (values.length === 0) return none
  const [least, most] = [Math.min(...values), Math.max(...values)]
  return least === most ? count(least) : `${count(least)} to ${count(most)}`
}

/** Whether query heads share keys and values in any of the layers (grouped-query attention). */
export const areGrouped = (layers: readonly Heads[]): boolean =>
  layers.some(({ heads, keyValueHeads }) => heads !== keyValueHeads)

/** How many heads layers have: "8", or "8 query heads in 4 key/value groups". */
export function headsText(layers: readonly Heads[]): string {
  const query = range(layers.map(({ heads }) => heads))
  if (!areGrouped(layers)) return query
  return `${query} query heads in ${range(layers.map(({ keyValueHeads }) => keyValueHeads))} key/value groups`
}

/** What leaves together when heads are pruned, by how many of them a layer has. */
export interface HeadGroups {
  readonly title: string
  /** One of them. */
  readonly cell: string
  readonly name: string
  /** Query heads in each; null where one is one head, or where it is not known. */
  readonly queryHeads: number | null
}

export function headGroups(groups: number, layer: Heads | undefined): HeadGroups {
  if (layer && layer.keyValueHeads !== layer.heads && groups === layer.keyValueHeads) {
    const each = layer.heads / layer.keyValueHeads
    const queryHeads = Number.isInteger(each) ? each : null
    return { title: 'Key/value groups', cell: 'key/value group', name: 'groups', queryHeads }
  }
  const title = layer && layer.keyValueHeads !== layer.heads ? 'Query heads' : 'Attention heads'
  return { title, cell: 'head', name: title.toLowerCase(), queryHeads: null }
}
