import { arch, availableParallelism, cpus, freemem, release, totalmem } from 'node:os'
import packageJson from '../../package.json' with { type: 'json' }
import type { Context } from './context.ts'
import type { Handlers } from './handlers.ts'

/** Runs that are told of, the latest ones. */
const mostRuns = 20

/**
 * What helps to find a fault, and says nothing of what the user works on: no names, paths, texts, prompts or tags, and of the
 * settings of runs only numbers and switches.
 */
export function diagnosticHandlers({
  options,
  db,
  engine,
  settings,
}: Context): Handlers<'app.diagnostics' | 'app.network'> {
  const rows = (sql: string) => db.prepare(sql).all() as Record<string, unknown>[]
  const count = (table: string) => db.prepare(`SELECT count(*) FROM ${table}`).pluck().get() as number
  return {
    'app.network': () => options.platform.refusedRequests?.() ?? null,
    'app.diagnostics': async () => {
      const { device, threads, theme, notifications, keepAwake, libraryView } = settings()
      const runs = rows(
        `SELECT kind, state, device, started, finished, last_saved_step, job FROM runs ORDER BY id DESC LIMIT ${mostRuns}`,
      )
      const about = {
        made: new Date().toISOString(),
        secateur: packageJson.version,
        host: options.platform.host,
        system: { platform: process.platform, arch: arch(), release: release() },
        versions: process.versions,
        processor: { model: cpus()[0]?.model ?? null, cores: availableParallelism() },
        memoryBytes: { total: totalmem(), free: freemem() },
        devices: await engine.request('devices', {}).catch((error: unknown) => ({ failed: (error as Error).name })),
        settings: { device, threads, theme, notifications, keepAwake, libraryView },
        database: {
          schema: db.pragma('user_version', { simple: true }),
          checkpoints: count('checkpoints'),
          datasets: count('datasets'),
          runs: rows('SELECT kind, state, count(*) AS runs FROM runs GROUP BY kind, state ORDER BY kind, state'),
        },
        refusedRequests: options.platform.refusedRequests?.()?.count ?? null,
        latestRuns: runs.map(({ job, ...run }) => ({ ...run, settings: plainSettings(JSON.parse(String(job))) })),
      }
      return `${JSON.stringify(about, null, 2)}\n`
    },
  }
}

/** Numbers and switches of a job, and of what is inside it. */
function plainSettings(job: unknown): Record<string, unknown> {
  if (typeof job !== 'object' || job === null || Array.isArray(job)) return {}
  const entries = Object.entries(job).flatMap(([name, value]): [string, unknown][] => {
    if (typeof value === 'number' || typeof value === 'boolean') return [[name, value]]
    // Only an evaluation has settings inside; keys of other objects are the user's own names.
    return name === 'evaluation' ? [[name, plainSettings(value)]] : []
  })
  return Object.fromEntries(entries)
}
