import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, it } from 'node:test'
import ts from 'typescript'

/** What each top-level folder may import besides itself. Files of `resources/` and package.json are data. */
const programs: Record<string, readonly string[]> = {
  engine: ['package.json'],
  electron: ['engine/contract', 'engine/shared', 'package.json', 'resources'],
  renderer: ['electron/contract'],
  scripts: ['engine', 'electron', 'package.json', 'resources'],
  test: ['engine', 'electron', 'renderer', 'scripts', 'package.json', 'resources'],
}

/**
 * The floors of the engine, from the top. A folder may import the folders below its floor. It may import one on its
 * own floor as long as that one does not import it in turn.
 */
const engineFloors = [
  ['entries'],
  ['jobs'],
  ['runs', 'estimate', 'sweeps', 'parts', 'runners', 'bench', 'datasets', 'llama-cpp', 'playground'],
  ['pruning', 'training', 'evaluation', 'export'],
  ['models', 'lora', 'data'],
  ['ops', 'checkpoint', 'tokenizer'],
  ['backends'],
  ['tensor', 'shared'],
] as const
/** The folders that may import the engine's contract: those above `ops`. The contract itself imports `shared` only. */
const speaksContract: readonly string[] = engineFloors.slice(0, 5).flat()

/** The same for the main side, whose parts are files as well as folders. */
const electronFloors = [
  ['main.ts', 'preload.ts'],
  ['host'],
  ['services'],
  ['engine-client.ts', 'database'],
  ['problems.ts', 'platform.ts'],
  ['contract'],
] as const

interface Arrow {
  from: string
  to: string
}

interface Refused {
  arrow: string
  files: string
}

const sources = globSync('{engine,electron,renderer,scripts,test}/**/*.{ts,js,mjs,svelte}', {
  exclude: (path) => path.includes('node_modules'),
})
const arrows = sources.flatMap(importsOf)

/** The files of this repository that a file imports in any way: for values or types, when it starts or later. */
function importsOf(file: string): Arrow[] {
  const text = readFileSync(file, 'utf8')
  const code = file.endsWith('.svelte') ? scriptsOf(text) : text
  return namesIn(code)
    .filter((name) => name.startsWith('.'))
    .map((name) => ({ from: file, to: normalize(join(dirname(file), name)) }))
}

function namesIn(code: string): string[] {
  return ts.preProcessFile(code, true, true).importedFiles.map(({ fileName }) => fileName)
}

function scriptsOf(svelte: string): string {
  return [...svelte.matchAll(/<script[^>]*>([\s\S]*?)<\/script>/g)].map(([, code]) => code).join('\n')
}

const isIn = (file: string, place: string) => file === place || file.startsWith(`${place}/`)
const topOf = (file: string) => file.split('/')[0]!
/** The folder, or the file, that stands directly in a top-level folder: `pruning` of `engine/pruning/masks.ts`. */
const partOf = (file: string) => file.split('/')[1]!

const partsOf = (program: string) => new Set(sources.filter((file) => isIn(file, program)).map(partOf))

const inside = (program: string) => arrows.filter(({ from, to }) => isIn(from, program) && isIn(to, program))

/** Arrows between the parts of a program that its floors do not allow, each with the files that make it. */
function refusedArrows(program: string, isAllowed: (from: string, to: string) => boolean): Refused[] {
  return inside(program)
    .map(({ from, to }) => ({ from, to, parts: [partOf(from), partOf(to)] as const }))
    .filter(({ parts: [from, to] }) => from !== to && !isAllowed(from, to))
    .map(({ from, to, parts }) => ({ arrow: `${program}: ${parts.join(' -> ')}`, files: `${from} imports ${to}` }))
}

const floorOf = (floors: readonly (readonly string[])[], part: string) =>
  floors.findIndex((floor) => floor.includes(part))

function isAllowedInEngine(from: string, to: string): boolean {
  if (from === 'contract') return to === 'shared'
  if (to === 'contract') return speaksContract.includes(from)
  return floorOf(engineFloors, from) <= floorOf(engineFloors, to)
}

const isAllowedInElectron = (from: string, to: string) => floorOf(electronFloors, from) < floorOf(electronFloors, to)

/** The groups of names that reach each other, found with Tarjan's algorithm; a name on its own is no group. */
function cyclesOf(edges: readonly Arrow[]): string[][] {
  const targets = new Map<string, string[]>()
  for (const { from, to } of edges) targets.set(from, [...(targets.get(from) ?? []), to])
  const order = new Map<string, number>()
  const lowest = new Map<string, number>()
  const open: string[] = []
  const cycles: string[][] = []
  function visit(name: string): void {
    order.set(name, order.size)
    lowest.set(name, order.get(name)!)
    open.push(name)
    for (const target of targets.get(name) ?? []) {
      if (!order.has(target)) visit(target)
      if (open.includes(target)) lowest.set(name, Math.min(lowest.get(name)!, lowest.get(target)!))
    }
    if (lowest.get(name) !== order.get(name)) return
    const group = open.splice(open.indexOf(name))
    if (group.length > 1 || targets.get(name)?.includes(name)) cycles.push(group.sort())
  }
  for (const name of targets.keys()) if (!order.has(name)) visit(name)
  return cycles
}

const refusedPrograms = arrows
  .filter(({ from, to }) => {
    const program = topOf(from)
    return ![program, ...programs[program]!].some((place) => isIn(to, place))
  })
  .map(({ from, to }) => ({ arrow: `${topOf(from)} -> ${topOf(to)}`, files: `${from} imports ${to}` }))
const refusedParts = [...refusedArrows('engine', isAllowedInEngine), ...refusedArrows('electron', isAllowedInElectron)]
const foldersOfEngine = inside('engine')
  .map(({ from, to }) => ({ from: partOf(from), to: partOf(to) }))
  .filter(({ from, to }) => from !== to)
const circles = [...cyclesOf(foldersOfEngine), ...cyclesOf(arrows)]

describe('imports', () => {
  it('read every kind of import', () => {
    const code = `
      import type { A } from './a.ts'
      export { b } from './b.ts'
      export * from './c.ts'
      const d = await import('./d.ts')
      type E = import('./e.ts').E
      import './f.ts'`
    assert.deepEqual(namesIn(code).sort(), ['./a.ts', './b.ts', './c.ts', './d.ts', './e.ts', './f.ts'])
    assert(arrows.length > 1000, `only ${arrows.length} imports were read`)
  })

  it('name files that exist', () => {
    const missing = arrows.filter(({ to }) => !existsSync(to))
    assert.deepEqual(missing, [])
  })

  it('stay in the folders that a program may import', () => {
    assert.deepEqual(refusedPrograms, [])
  })

  it('point down the floors of the engine and of the main side', () => {
    assert.deepEqual(refusedParts, [])
  })

  it('give every folder of the engine and every part of the main side a floor', () => {
    const unknown = [
      ...[...partsOf('engine')].filter((part) => part !== 'contract' && floorOf(engineFloors, part) < 0),
      ...[...partsOf('electron')].filter((part) => floorOf(electronFloors, part) < 0),
    ]
    assert.deepEqual(unknown, [])
  })

  it('make no circle of folders in the engine, nor of files anywhere', () => {
    assert.deepEqual(circles, [])
  })
})
