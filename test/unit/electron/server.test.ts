import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, request as httpRequest } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { WebSocket } from 'ws'
import type { AppEvent } from '../../../electron/contract/index.ts'
import { limits, type Server, startServer } from '../../../electron/host/server.ts'
import { fileOf, sendFile } from '../../../electron/host/static-files.ts'

const folder = mkdtempSync(join(tmpdir(), 'secateur-server-'))
const renderer = join(folder, 'renderer')
const lines: string[] = []
const listeners = new Set<(event: AppEvent) => void>()
let server: Server
let token: string

/** Services that answer with what they were asked. */
const services = {
  call: async (method: string, input: unknown) => ({ ok: { method, given: input === undefined ? 'nothing' : input } }),
  subscribe(listener: (event: AppEvent) => void) {
    listeners.add(listener)
    return () => void listeners.delete(listener)
  },
  close: async () => {},
}
const tell = (message: string) => {
  for (const listener of listeners) listener({ name: 'notice', payload: { level: 'info', message } })
}

before(async () => {
  mkdirSync(join(renderer, 'assets'), { recursive: true })
  writeFileSync(join(renderer, 'index.html'), '<!doctype html><title>Secateur</title>')
  writeFileSync(join(renderer, 'assets/app-1a2b.js'), 'export {}')
  writeFileSync(join(folder, 'secret.txt'), 'secret')
  server = await startServer({ services, renderer, port: 0, log: (line) => lines.push(line) })
  token = new URL(server.address).hash.replace('#token=', '')
})
beforeEach(() => void lines.splice(0))
after(async () => {
  await server.close()
  rmSync(folder, { recursive: true })
})

interface Got {
  status: number
  headers: Record<string, string | string[] | undefined>
  body: string
}

function get(path: string, { method = 'GET', host }: { method?: string; host?: string } = {}): Promise<Got> {
  const headers = host === undefined ? {} : { host }
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port: server.port, path, method, headers }, (response) => {
      let body = ''
      response.on('data', (chunk: Buffer) => (body += chunk.toString()))
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body }))
    })
    request.on('error', reject)
    request.end()
  })
}

const ownOrigin = () => `http://127.0.0.1:${server.port}`

function open(options: { origin?: string; host?: string; path?: string } = {}): WebSocket {
  const { origin = ownOrigin(), host, path = '/socket' } = options
  return new WebSocket(`ws://127.0.0.1:${server.port}${path}`, {
    ...(origin === '' ? {} : { origin }),
    ...(host === undefined ? {} : { headers: { host } }),
  })
}

/** Status that a handshake was refused with. */
const refusal = (socket: WebSocket): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    socket.on('unexpected-response', (_request, response) => resolve(response.statusCode))
    socket.on('open', () => reject(new Error('the connection was taken')))
    socket.on('error', () => {})
  })
const closed = (socket: WebSocket) => new Promise<number>((resolve) => socket.once('close', resolve))
const message = (socket: WebSocket) =>
  new Promise<string>((resolve) => socket.once('message', (data: Buffer) => resolve(data.toString())))

async function admitted(): Promise<WebSocket> {
  const socket = open()
  socket.once('open', () => socket.send(JSON.stringify({ token })))
  assert.equal(await message(socket), '{"ready":true}')
  return socket
}

async function ask(socket: WebSocket, ...args: unknown[]): Promise<unknown> {
  const answer = message(socket)
  socket.send(JSON.stringify({ t: 'q', i: 'one', m: 'call', a: args }))
  return JSON.parse(await answer)
}

test('files are served with headers that keep the page to itself', async () => {
  const page = await get('/')
  assert.equal(page.status, 200)
  assert.match(page.body, /Secateur/)
  assert.match(String(page.headers['content-security-policy']), /default-src 'none'; script-src 'self'/)
  assert.equal(page.headers['x-content-type-options'], 'nosniff')
  assert.equal(page.headers['referrer-policy'], 'no-referrer')
  assert.equal(page.headers['cross-origin-opener-policy'], 'same-origin')
  assert.equal(page.headers['cache-control'], 'no-cache')
  const script = await get('/assets/app-1a2b.js')
  assert.equal(script.headers['content-type'], 'text/javascript; charset=utf-8')
  assert.match(String(script.headers['cache-control']), /immutable/)
  assert.equal((await get('/', { method: 'HEAD' })).body, '')
  assert.equal((await get('/nothing.js')).status, 404)
  assert.equal((await get('/assets')).status, 404)
})

test('addresses that climb out are refused and logged, however they are written', async () => {
  const paths = [
    '/../secret.txt',
    '/%2e%2e/secret.txt',
    '/%2e%2e%2fsecret.txt',
    '/..%5csecret.txt',
    '/assets/../../secret.txt',
    '/assets/%2e%2e/%2e%2e/secret.txt',
    '//etc/passwd',
    '/%00',
    '/%ff',
    '/.hidden',
    '/C:/secret.txt',
  ]
  for (const path of paths) {
    const { status, body } = await get(path)
    assert.equal(status, 403, path)
    assert.doesNotMatch(body, /secret/)
  }
  assert.equal(lines.filter((line) => line.includes('refused with 403')).length, paths.length)
  assert.equal(fileOf('/root', '/a/b.js'), join('/root', 'a', 'b.js'))
})

test('only GET and HEAD are answered, and only under names of this machine', async () => {
  assert.equal((await get('/', { method: 'POST' })).status, 405)
  assert.equal((await get('/', { method: 'DELETE' })).status, 405)
  for (const host of ['evil.example', 'evil.example:80', '127.0.0.1.evil.example', 'localhost.evil.example'])
    assert.equal((await get('/', { host })).status, 421, host)
  for (const host of ['localhost', 'localhost:9999', '127.0.0.1:1', '[::1]:80'])
    assert.equal((await get('/', { host })).status, 200, host)
  assert.match(lines.join('\n'), /refused with 421: GET \/ for evil\.example/)
})

test('a connection of another origin, name or address is refused before it opens', async () => {
  assert.equal(await refusal(open({ origin: 'https://evil.example' })), 403)
  assert.equal(await refusal(open({ origin: `http://localhost:${server.port}` })), 403)
  assert.equal(await refusal(open({ origin: 'null' })), 403)
  assert.equal(await refusal(open({ origin: '' })), 403)
  assert.equal(await refusal(open({ origin: 'http://evil.example', host: 'evil.example' })), 421)
  assert.equal(await refusal(open({ path: '/other' })), 404)
  assert.equal(lines.length, 6)
  assert.match(lines[0]!, /refused a connection with 403: \/socket for .* from https:\/\/evil\.example/)
})

test('a connection without the token, or with a wrong one, hears nothing and is closed', async () => {
  for (const first of [
    '{"token":"wrong"}',
    '{}',
    'hello',
    JSON.stringify({ token, more: 1 }),
    JSON.stringify({ t: 'q', i: '1', m: 'call', a: ['app.info'] }),
    Buffer.from(JSON.stringify({ token })),
  ]) {
    const socket = open()
    const heard: string[] = []
    socket.on('message', (data: Buffer) => heard.push(data.toString()))
    socket.once('open', () => socket.send(first))
    assert.equal(await closed(socket), 4401)
    assert.deepEqual(heard, [])
  }
  assert.equal(lines.filter((line) => line.endsWith('refused: the token is wrong')).length, 6)
  const allowed = limits.tokenMilliseconds
  limits.tokenMilliseconds = 50
  try {
    const late = open()
    assert.equal(await closed(late), 4401)
  } finally {
    limits.tokenMilliseconds = allowed
  }
})

test('requests are answered with what the services say, nothing asked as nothing', async () => {
  const socket = await admitted()
  assert.deepEqual(await ask(socket, 'app.info'), {
    t: 's',
    i: 'one',
    r: { ok: { method: 'app.info', given: 'nothing' } },
  })
  assert.deepEqual(await ask(socket, 'app.info', null), {
    t: 's',
    i: 'one',
    r: { ok: { method: 'app.info', given: 'nothing' } },
  })
  assert.deepEqual(await ask(socket, 'runs.get', { id: 3 }), {
    t: 's',
    i: 'one',
    r: { ok: { method: 'runs.get', given: { id: 3 } } },
  })
  const event = message(socket)
  tell('hello')
  assert.deepEqual(JSON.parse(await event), {
    m: 'event',
    a: [{ name: 'notice', payload: { level: 'info', message: 'hello' } }],
    t: 'q',
  })
  socket.close()
  await closed(socket)
  for (let i = 0; i < 50 && listeners.size > 0; i++) await new Promise((resolve) => setTimeout(resolve, 10))
  assert.equal(listeners.size, 0, 'a page that left is still told of everything')
})

test('1,000 malformed frames are refused and logged one by one, and the connection goes on', async () => {
  const socket = await admitted()
  const bad = [
    'not json',
    '{"t":"q"}',
    '[]',
    'null',
    '{"t":"q","i":"1","m":"constructor","a":[]}',
    '{"t":"q","i":"1","m":"__proto__","a":["x"]}',
    '{"t":"q","i":"1","m":"call","a":[1]}',
    '{"t":"s","i":"1","r":1}',
    '\u001b[2J\nforged line',
    Buffer.from([1, 2, 3]),
  ]
  for (let i = 0; i < 1000; i++) socket.send(bad[i % bad.length]!)
  assert.deepEqual(await ask(socket, 'app.info'), {
    t: 's',
    i: 'one',
    r: { ok: { method: 'app.info', given: 'nothing' } },
  })
  assert.equal(lines.filter((line) => /refused a (malformed|binary) frame/.test(line)).length, 1000)
  socket.terminate()
})

test('a message that is too large ends its connection, before memory is taken for it', async () => {
  const socket = await admitted()
  socket.on('error', () => {})
  socket.send('x'.repeat(limits.messageBytes + 1))
  assert.equal(await closed(socket), 1009)
  assert.match(lines.join('\n'), /Max payload size exceeded/)
})

test('a page that reads nothing is dropped, and the others do not wait for it', async () => {
  const slow = await admitted()
  const quick = await admitted()
  slow.pause()
  const heard: number[] = []
  quick.on('message', (data: Buffer) => heard.push(data.length))
  const megabyte = 'x'.repeat(1 << 20)
  for (let i = 0; i < 40; i++) {
    tell(megabyte)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  for (let i = 0; i < 100 && heard.length < 40; i++) await new Promise((resolve) => setTimeout(resolve, 20))
  assert.equal(heard.length, 40)
  assert.equal(lines.filter((line) => line.endsWith('dropped: it takes its messages too slowly')).length, 1)
  assert.equal(listeners.size, 1)
  slow.terminate()
  quick.terminate()
})

test('bytes that are no HTTP do not disturb it', async () => {
  const socket = connect(server.port, '127.0.0.1')
  socket.on('error', () => {})
  socket.resume()
  socket.write('\u0000\u0001garbage\r\n\r\n')
  await new Promise((resolve) => socket.once('close', resolve))
  assert.equal((await get('/')).status, 200)
})

test('a page that is read again while a file is opened for it takes no answer, and the next one does', async () => {
  const gone = Promise.withResolvers<number>()
  const files = createServer((request, response) => {
    response.once('close', () => sendFile(renderer, '/index.html', request, response).then(gone.resolve, gone.reject))
  }).listen(0, '127.0.0.1')
  await once(files, 'listening')
  const client = connect((files.address() as AddressInfo).port, '127.0.0.1')
  client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await once(files, 'request')
  client.destroy()
  assert.equal(await gone.promise, 200)
  files.close()
  for (let i = 0; i < 50; i++)
    connect(server.port, '127.0.0.1').end('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n').destroy()
  assert.equal((await get('/')).status, 200)
  assert.deepEqual(lines, [])
})
