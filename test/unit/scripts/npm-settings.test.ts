import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { create } from 'tar'
import { addonOfBuild, type CardBuild } from '../../../engine/llama-cpp/card-builds.ts'
import { installBuild } from '../../../scripts/llama-cpp/install-build.ts'
import { authorizationFor, npmOf, settingsIn } from '../../../scripts/llama-cpp/npm-settings.ts'

const folder = mkdtempSync(join(tmpdir(), 'secateur-npm-'))
after(() => rmSync(folder, { recursive: true, force: true }))

function file(name: string, ...lines: string[]): string {
  const path = join(folder, name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, lines.join('\n'))
  return path
}

test('settings of npm are those of its files and of the environment, the nearest one first', () => {
  const files = [
    file('global', 'registry=https://global/', '//a/:_authToken=global', '//b/:_authToken = b'),
    undefined,
    join(folder, 'none'),
    file(
      'user',
      '; a comment',
      '# another',
      '[section]',
      '"//a/:_authToken" = "${TOKEN}"',
      '//c/:_authToken=${NONE}',
      '//d/:_authToken=${NONE?}',
      '//e/:_auth=eDp5==\r',
    ),
  ]
  const environment = { TOKEN: 'user', 'npm_config_//b/:_authToken': 'environment', npm_config_registry: 'x' }
  assert.deepEqual(settingsIn(files, environment), {
    registry: 'https://global/',
    '//a/:_authToken': 'user',
    '//b/:_authToken': 'environment',
    '//c/:_authToken': '${NONE}',
    '//d/:_authToken': '',
    '//e/:_auth': 'eDp5==',
  })
})

test('what is set for the host and the longest part of the path is sent, and nothing elsewhere', () => {
  const settings = {
    '//mirror.example/:_authToken': 'whole',
    '//mirror.example/npm/team/:_authToken': 'team',
    '//mirror.example:8443/npm:_auth': 'dTpw',
    '//named.example/:username': 'me',
    '//named.example/:_password': Buffer.from('päss').toString('base64'),
  }
  const sent = (address: string) => authorizationFor(address, settings)
  assert.equal(sent('https://mirror.example/@node-llama-cpp/a.tgz'), 'Bearer whole')
  assert.equal(sent('https://mirror.example/npm/team/a.tgz'), 'Bearer team')
  assert.equal(sent('https://mirror.example/npm/teams/a.tgz'), 'Bearer whole')
  assert.equal(sent('https://mirror.example:8443/npm/a.tgz'), 'Basic dTpw')
  assert.equal(sent('https://mirror.example:8443/other/a.tgz'), undefined)
  for (const host of ['example', 'mirror.example.org', 'not-mirror.example', 'sub.mirror.example'])
    assert.equal(sent(`https://${host}/mirror.example/a.tgz`), undefined, host)
  assert.equal(sent('https://named.example/a.tgz'), `Basic ${Buffer.from('me:päss').toString('base64')}`)
})

test('npm is asked for what the environment does not say', () => {
  const project = dirname(file('project/.npmrc', '//p/:_authToken=project'))
  const user = file('own', '//u/:_authToken=user', '//p/:_authToken=user')
  const npm = { npm_config_registry: 'https://r/', npm_config_userconfig: user, npm_config_globalconfig: '/none' }
  assert.deepEqual(npmOf(project, npm), {
    registry: 'https://r/',
    settings: { '//u/:_authToken': 'user', '//p/:_authToken': 'project' },
  })
})

const addon = addonOfBuild({ package: 'here-vulkan' })

async function packed(): Promise<{ build: CardBuild; data: Buffer }> {
  file(join('package', addon), 'library')
  await create({ file: join(folder, 'packed.tgz'), cwd: folder, gzip: true }, ['package'])
  const data = readFileSync(join(folder, 'packed.tgz'))
  const integrity = `sha512-${createHash('sha512').update(data).digest('base64')}`
  const named = { name: 'vulkan', package: 'here-vulkan', version: '1.2.3' } as const
  return { build: { ...named, integrity, bytes: data.length, unpackedBytes: 1000 }, data }
}

async function serving(listener: RequestListener, use: (host: string) => Promise<unknown>): Promise<void> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  try {
    await use(`127.0.0.1:${(server.address() as AddressInfo).port}`)
  } finally {
    server.close()
  }
}

test('a private registry gets the token that is set for it, and no host that it sends on to does', async () => {
  const { build, data } = await packed()
  const heard: (string | undefined)[] = []
  const install = (host: string, settings: object, into: string) =>
    installBuild(build, { registry: `http://${host}/npm/`, settings: { ...settings }, into: join(folder, into) })
  const isPrivate: RequestListener = ({ headers: { authorization } }, response) =>
    authorization === 'Bearer secret' ? response.end(data) : response.writeHead(401).end()
  await serving(isPrivate, async (host) => {
    await install(host, { [`//${host}/npm/:_authToken`]: 'secret' }, 'private')
    await assert.rejects(install(host, { '//elsewhere/:_authToken': 'secret' }, 'refused'), {
      message: /the registry answers 401 .*"npm login" signs in there/,
    })
  })

  const another: RequestListener = ({ headers }, response) => {
    heard.push(headers.authorization)
    response.end(data)
  }
  await serving(another, (elsewhere) =>
    serving(
      ({ headers, url }, response) => {
        heard.push(headers.authorization)
        const isFirst = !url!.endsWith('?again')
        response.writeHead(302, { location: isFirst ? `${url}?again` : `http://${elsewhere}/a.tgz` }).end()
      },
      (host) => install(host, { [`//${host}/:_authToken`]: 'secret' }, 'sent-on'),
    ),
  )
  assert.deepEqual(heard, ['Bearer secret', 'Bearer secret', undefined])
})
