import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import packageJson from '../../package.json' with { type: 'json' }

const pages = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'renderer/README.md', ...globSync('{docs,test}/**/*.md')]
/** Folders that a recipe says will come. */
const planned = ['engine/export']

const texts = pages.map((page) => ({ page, text: readFileSync(page, 'utf8') }))
const found = (pattern: RegExp) =>
  texts.flatMap(({ page, text }) => [...text.matchAll(pattern)].map(([, what]) => ({ page, what: what! })))

test('pages link to files that exist', () => {
  const links = found(/\]\(([^)#\s]+)/g).filter(({ what }) => !what.startsWith('http'))
  assert(links.length > 20)
  assert.deepEqual(
    links.filter(({ page, what }) => !existsSync(join(dirname(page), what))),
    [],
  )
})

test('pages name files that exist', () => {
  // NAME stands for whatever is added.
  const files = found(/((?:electron|engine|renderer|resources|scripts|test)\/[\w./-]*[\w-])/g).filter(
    ({ what }) => !what.includes('NAME') && !planned.includes(what),
  )
  assert(files.length > 100)
  assert.deepEqual(
    files.filter(({ what, page }) => !existsSync(what) && !existsSync(join(dirname(page), what))),
    [],
  )
})

test('pages name commands that exist', () => {
  const commands = found(/npm run ([\w:-]+)/g)
  assert(commands.length > 10)
  assert.deepEqual(
    commands.filter(({ what }) => !Object.hasOwn(packageJson.scripts, what)),
    [],
  )
})

test('pages name benchmarks that exist, and so does their command', () => {
  const known = [...readFileSync('scripts/run.mjs', 'utf8').matchAll(/^ {2}'?([\w-]+)'?: '([\w-]+\.ts)',$/gm)]
  assert(known.length > 5)
  for (const [, name, file] of known) assert(existsSync(join('test/bench', file!)), name)
  const names = known.map(([, name]) => name)
  assert.deepEqual(
    found(/npm run bench -- ([a-z][\w-]*)/g).filter(({ what }) => !names.includes(what)),
    [],
  )
})
