import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { MenuItemConstructorOptions } from 'electron'
import { answerAppRequest, isTrustedSender, mayLoad } from '../../../electron/host/app-scheme.ts'
import { defaultDataFolder } from '../../../electron/host/data-folder.ts'
import { menuTemplate } from '../../../electron/host/menu.ts'
import { placeWindow, readWindowState, smallest, writeWindowState } from '../../../electron/host/window-state.ts'
import { globSync } from '../../../scripts/glob.mjs'

const folder = mkdtempSync(join(tmpdir(), 'secateur-electron-'))
after(() => rmSync(folder, { recursive: true }))
const display = { x: 0, y: 25, width: 1920, height: 1055 }
const second = { x: 1920, y: 0, width: 1280, height: 1024 }

test('a window stays where it was, on whichever display', () => {
  const saved = { x: 2000, y: 100, width: 1000, height: 700, maximised: true }
  assert.deepEqual(placeWindow(saved, [display, second]), saved)
})

test('a window whose display is gone comes back to the middle of the first', () => {
  const saved = { x: 2000, y: 100, width: 1000, height: 700, maximised: false }
  assert.deepEqual(placeWindow(saved, [display]), { x: 460, y: 203, width: 1000, height: 700, maximised: false })
  const nearlyOff = { ...saved, x: 1919 }
  assert.equal(placeWindow(nearlyOff, [display]).x, 460)
})

test('a window is never larger than its display, smaller than its content, or above the screen', () => {
  const large = placeWindow({ x: 0, y: 0, width: 9000, height: 9000, maximised: false }, [display])
  assert.deepEqual([large.width, large.height, large.y], [1920, 1055, 25])
  const small = placeWindow({ x: 100, y: 100, width: 300, height: 200, maximised: false }, [display])
  assert.deepEqual([small.width, small.height], [smallest.width, smallest.height])
  assert.deepEqual(placeWindow(null, [display]), { x: 320, y: 123, width: 1280, height: 860, maximised: false })
})

test('the place of the window is read back, and nonsense is as if there were none', () => {
  const file = join(folder, 'window.json')
  assert.equal(readWindowState(file), null)
  const state = { x: -5, y: 3, width: 900, height: 700, maximised: true }
  writeWindowState(file, state)
  assert.deepEqual(readWindowState(file), state)
  for (const text of ['{', '{"x":1}', '{"x":1,"y":1,"width":1e99,"height":0,"maximised":1}']) {
    writeFileSync(file, text)
    assert.equal(readWindowState(file), null, text)
  }
})

test('only the window itself is heard, and only while it shows our page', () => {
  assert.ok(isTrustedSender({ url: 'app://secateur/#/library', parent: null }))
  assert.ok(!isTrustedSender(null))
  assert.ok(!isTrustedSender({ url: 'app://secateur/', parent: {} }))
  for (const url of [
    'https://evil.example/',
    'app://secateur.evil/',
    'app://other/',
    'file:///etc/passwd',
    'about:blank',
    '',
  ])
    assert.ok(!isTrustedSender({ url, parent: null }), url)
})

test('the page may load its own files and nothing from elsewhere', () => {
  for (const url of ['app://secateur/assets/a.js', 'data:image/png;base64,', 'blob:app://secateur/1'])
    assert.ok(mayLoad(url), url)
  for (const url of [
    'https://evil.example/',
    'http://127.0.0.1:1/',
    'file:///etc/passwd',
    'blob:https://evil.example/1',
    'ws://x/',
  ])
    assert.ok(!mayLoad(url), url)
})

test('the scheme answers with the files of the renderer and a strict policy, and with nothing else', async () => {
  const root = join(folder, 'renderer')
  mkdirSync(root)
  writeFileSync(join(root, 'index.html'), '<title>Secateur</title>')
  writeFileSync(join(folder, 'secret.txt'), 'secret')
  const get = (url: string, method = 'GET') => answerAppRequest(root, { url, method })
  const page = await get('app://secateur/')
  assert.equal(await page.text(), '<title>Secateur</title>')
  assert.match(page.headers.get('content-security-policy')!, /default-src 'none'.*frame-ancestors 'none'/)
  assert.doesNotMatch(page.headers.get('content-security-policy')!, /unsafe-inline|'unsafe-eval'|http/)
  assert.equal((await get('app://secateur/', 'POST')).status, 405)
  assert.equal((await get('app://secateur/nothing.js')).status, 404)
  assert.equal((await get('app://other/')).status, 404)
  for (const path of ['%2e%2e%2fsecret.txt', '..%5csecret.txt', '%00'])
    assert.equal((await get(`app://secateur/${path}`)).status, 403, path)
})

const entries = (items: MenuItemConstructorOptions[]): MenuItemConstructorOptions[] =>
  items.flatMap((item) => [item, ...(Array.isArray(item.submenu) ? entries(item.submenu) : [])])

test('the menu leads to every screen, and no accelerator is given twice', () => {
  for (const platform of ['linux', 'darwin', 'win32'] as const) {
    const gone: string[] = []
    const actions = { go: (hash: string) => gone.push(hash), openDataFolder: () => {}, openSample: () => {} }
    const items = entries(menuTemplate({ platform, packaged: true }, actions))
    for (const { click } of items) (click as (() => void) | undefined)?.()
    assert.deepEqual(gone.sort(), ['#/compare', '#/datasets', '#/history', '#/library', '#/new', '#/settings'])
    const accelerators = items.map(({ accelerator }) => accelerator).filter((key) => key !== undefined)
    assert.equal(new Set(accelerators).size, accelerators.length)
    assert.ok(items.some(({ role }) => role === 'quit'))
    assert.ok(!items.some(({ role }) => role === 'toggleDevTools'))
  }
})

test('data lies where each system keeps it', () => {
  assert.equal(defaultDataFolder('linux', {}, '/home/me'), '/home/me/.local/share/secateur')
  assert.equal(defaultDataFolder('linux', { XDG_DATA_HOME: '/data' }, '/home/me'), '/data/secateur')
  assert.equal(defaultDataFolder('darwin', {}, '/Users/me'), '/Users/me/Library/Application Support/Secateur')
})

test('nothing that the headless host loads imports electron, whose binary may be missing', () => {
  const root = join(import.meta.dirname, '../../../electron')
  const mayImport = /(^|\/)(main|preload|host\/electron(-\w+)?)\.ts$/
  for (const file of globSync(root, /\.ts$/)) {
    if (mayImport.test(file)) continue
    const text = readFileSync(file, 'utf8')
    assert.doesNotMatch(text, /^import (?!type )[^\n]*'electron'/m, file)
    assert.doesNotMatch(text, /from '[^']*\/(electron|electron-\w+)\.ts'/, file)
  }
})
