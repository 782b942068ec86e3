import { Graph, layout } from '@dagrejs/dagre'
import type { Lineage } from '../../../../electron/contract/index.ts'

export interface LineageLayout {
  width: number
  height: number
  nodes: (Lineage['nodes'][number] & { x: number; y: number; width: number; height: number })[]
  edges: { from: string; to: string; path: string }[]
}

export const nodeSize = { width: 176, height: 48 }

/** Places what came from what, from left to right, in pixels. `x` and `y` are the upper left corner of a node. */
export function layOut({ nodes, edges }: Lineage): LineageLayout {
  const graph = new Graph()
  graph.setGraph({ rankdir: 'LR', nodesep: 20, ranksep: 44, marginx: 4, marginy: 4 })
  graph.setDefaultEdgeLabel(() => ({}))
  for (const { key } of nodes) graph.setNode(key, { ...nodeSize })
  const known = new Set(nodes.map(({ key }) => key))
  const drawn = edges.filter(({ from, to }) => known.has(from) && known.has(to))
  for (const { from, to } of drawn) graph.setEdge(from, to)
  layout(graph)
  const { width = 0, height = 0 } = graph.graph()
  return {
    width,
    height,
    nodes: nodes
      .map((node) => {
        const { x = 0, y = 0 } = graph.node(node.key)
        return { ...node, ...nodeSize, x: x - nodeSize.width / 2, y: y - nodeSize.height / 2 }
      })
      // Tab goes through them as they are read: from the oldest to the newest, from top to bottom.
      .sort((a, b) => a.x - b.x || a.y - b.y),
    edges: drawn.map(({ from, to }) => ({ from, to, path: edgePath(graph.edge(from, to).points ?? []) })),
  }
}

/** A curve through the points of an edge, level where it leaves and arrives. */
function edgePath(points: readonly { x: number; y: number }[]): string {
  const [first, ...rest] = points
  const last = rest.at(-1)
  if (!first || !last) return ''
  const middle = (first.x + last.x) / 2
  const bends = rest.slice(0, -1)
  if (bends.length <= 1) return `M${first.x},${first.y} C${middle},${first.y} ${middle},${last.y} ${last.x},${last.y}`
  return `M${first.x},${first.y} ${rest.map(({ x, y }) => `L${x},${y}`).join(' ')}`
}
