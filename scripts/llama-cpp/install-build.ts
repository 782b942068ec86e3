import { createHash } from 'node:crypto'
import {
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
} from 'node:fs'
import { join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { x as unpack } from 'tar'
import { addonOfBuild, type CardBuild, folderOfBuild } from '../../engine/llama-cpp/card-builds.ts'
import { SecateurError } from '../../engine/shared/errors.ts'
import { sizeText } from '../../engine/shared/size-text.ts'
import { explained } from '../../engine/shared/system-errors.ts'
import { authorizationFor, type NpmSettings } from './npm-settings.ts'

export interface InstallSettings {
  /** Address of an npm registry. */
  registry: string
  /** What npm is set up with: it may say how to sign in at the registry. */
  settings?: NpmSettings
  /** Folder of all builds. */
  into: string
  signal?: AbortSignal
  /** Hears how many bytes have come. */
  onBytes?: (bytes: number) => void
}

/** Milliseconds after which what an installation left that was killed is nobody's. */
const abandoned = 24 * 3600 * 1000
const partial = '.partial-'

/** Where an npm registry has the packed files of a package. */
export const addressOf = ({ package: name, version }: CardBuild, registry: string): string =>
  `${registry.replace(/\/+$/, '')}/@node-llama-cpp/${name}/-/${name}-${version}.tgz`

/**
 * Fetches a build, if it is not there. Nothing is unpacked before the whole file is known to be the one that is pinned, and the
 * build has its name only once it is complete.
 *
 * @returns its folder
 * @throws SecateurError where the disk has no room, the registry cannot be reached or has another file
 */
export async function installBuild(
  build: CardBuild,
  { registry, settings = {}, into, signal, onBytes }: InstallSettings,
): Promise<string> {
  const folder = join(into, folderOfBuild(build))
  if (existsSync(join(folder, addonOfBuild(build)))) return folder
  let work: string | undefined
  try {
    mkdirSync(into, { recursive: true })
    removeAbandoned(into)
    requireDisk(build, into)
    work = mkdtempSync(join(into, partial))
    const packed = join(work, 'packed.tgz')
    const address = addressOf(build, registry)
    await download(address, packed, { build, authorization: authorizationFor(address, settings), signal, onBytes })
    const unpacked = join(work, 'unpacked')
    mkdirSync(unpacked)
    // What only compilers read stays packed.
    await unpack({ file: packed, cwd: unpacked, strip: 1, strict: true, filter: (path) => !path.endsWith('.lib') })
    if (!existsSync(join(unpacked, addonOfBuild(build))))
      throw new SecateurError('bad-file', `holds no ${addonOfBuild(build)}`, { file: addressOf(build, registry) })
    // A folder that is there is one that another installation has just finished, or that lacks its library.
    rmSync(folder, { recursive: true, force: true })
    renameSync(unpacked, folder)
    removeOtherVersions(build, into)
    return folder
  } catch (error) {
    throw explained(into, error)
  } finally {
    if (work !== undefined) rmSync(work, { recursive: true, force: true })
  }
}

/** @throws SecateurError where the disk has no room for what is fetched, and beside it for what that becomes */
function requireDisk({ name, bytes, unpackedBytes }: CardBuild, into: string): void {
  const { bavail, bsize } = statfsSync(into)
  if (bavail * bsize >= bytes + unpackedBytes) return
  throw new SecateurError(
    'does-not-fit',
    `llama.cpp for ${name} needs ${sizeText(bytes + unpackedBytes)} while it is installed and ${sizeText(bavail * bsize)} are free; XDG_CACHE_HOME names a cache folder on another disk`,
    { file: into },
  )
}

/** @throws SecateurError where the registry cannot be reached, or what it has is another file */
async function download(
  address: string,
  file: string,
  {
    build,
    authorization,
    signal,
    onBytes = () => {},
  }: { build: CardBuild; authorization: string | undefined } & Pick<InstallSettings, 'signal' | 'onBytes'>,
): Promise<void> {
  const hash = createHash('sha512')
  let bytes = 0
  const hashing = new Transform({
    transform(chunk: Buffer, _, done) {
      hash.update(chunk)
      bytes += chunk.length
      onBytes(bytes)
      // A server that sends without end is not waited for.
      done(bytes > build.bytes ? anotherFile(address, build) : null, chunk)
    },
  })
  const response = await reached(address, authorization, signal)
  await pipeline(bodyOf(response, address), hashing, createWriteStream(file), { ...(signal && { signal }) })
  if (`sha512-${hash.digest('base64')}` !== build.integrity) throw anotherFile(address, build)
}

async function reached(
  address: string,
  authorization: string | undefined,
  signal: AbortSignal | undefined,
): Promise<Response> {
  let response
  try {
    // Where another host is named instead, fetch goes on without the authorization.
    response = await fetch(address, { ...(authorization && { headers: { authorization } }), ...(signal && { signal }) })
  } catch (error) {
    signal?.throwIfAborted()
    throw unreachable(address, error)
  }
  if (!response.ok || response.body === null)
    throw new SecateurError(
      'unsupported',
      `the registry answers ${response.status} ${response.statusText}; ${isRefused(response) ? '"npm login" signs in there, and ' : ''}"npm config set registry" or npm_config_registry names another one`,
      { file: address },
    )
  return response
}

const isRefused = ({ status }: Response): boolean => status === 401 || status === 403

/** Pieces of a file; where they cease to come, that is said as it is. */
async function* bodyOf(response: Response, address: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const piece of response.body!) yield piece
  } catch (error) {
    throw unreachable(address, error)
  }
}

function unreachable(address: string, error: unknown): SecateurError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error)
  return new SecateurError(
    'unsupported',
    `could not be downloaded (${cause}): check the network and run the command again; behind a proxy set HTTPS_PROXY and NODE_USE_ENV_PROXY=1`,
    { file: address, cause: error },
  )
}

const anotherFile = (address: string, { integrity, bytes }: CardBuild): SecateurError =>
  new SecateurError(
    'bad-file',
    `is not the file that is pinned (${sizeText(bytes)}, ${integrity.slice(0, 20)}...), and was not unpacked: run the command again, or name another registry with npm_config_registry`,
    { file: address },
  )

/** Removes what a former version of Secateur had installed of the same package. */
function removeOtherVersions(build: CardBuild, into: string): void {
  for (const name of readdirSync(into))
    if (name !== folderOfBuild(build) && new RegExp(`^${build.package}-\\d`).test(name))
      rmSync(join(into, name), { recursive: true, force: true })
}

function removeAbandoned(into: string): void {
  for (const name of readdirSync(into)) {
    const folder = join(into, name)
    if (name.startsWith(partial) && Date.now() - statSync(folder).mtimeMs > abandoned)
      rmSync(folder, { recursive: true, force: true })
  }
}
