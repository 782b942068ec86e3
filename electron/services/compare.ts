import { isDeepStrictEqual } from 'node:util'
import { saidOf } from '../../engine/contract/index.ts'
import {
  type Answer,
  type Comparison,
  historyFilterSchema,
  type ParsedRequest,
  type RunDetail,
} from '../contract/index.ts'
import type { History } from '../database/history.ts'
import { notFound } from '../problems.ts'
import { inspectionOf } from './checkpoint-files.ts'
import type { Context } from './context.ts'
import type { Handlers } from './handlers.ts'
import { inSlices } from './history.ts'
import { detailOf, rowOf } from './run-summary.ts'

type ScatterPoint = Answer<'compare.scatter'>[number]
type KeptLayers = Comparison['layers'][number]['layers']

/** Runs side by side. */
export class Compare {
  readonly #context: Context
  readonly #history: History

  constructor(context: Context, history: History) {
    this.#context = context
    this.#history = history
  }

  readonly handlers: Handlers<keyof Handlers & `compare.${string}`> = {
    'compare.get': (input) => this.#get(input),
    'compare.scatter': (input) => this.#scatter(input),
  }

  async #scatter({ ids, filter, x, y }: ParsedRequest<'compare.scatter'>): Promise<ScatterPoint[]> {
    const everything = historyFilterSchema.parse({})
    const wanted = ids ?? this.#history.ids(filter ?? everything, { limit: -1, offset: 0 })
    const points: ScatterPoint[] = []
    for await (const part of inSlices(wanted)) {
      for (const { run, values } of this.#history.rows(part, [x, y])) {
        const [atX, atY] = values
        if (typeof atX === 'number' && typeof atY === 'number')
          points.push({ id: run.id, name: run.name, x: atX, y: atY })
      }
    }
    return points
  }

  #get({ ids: wanted, points }: ParsedRequest<'compare.get'>): Comparison {
    const { runs: store } = this.#context
    const ids = wanted.filter((id) => store.get(id)?.removed === null)
    if (ids.length === 0) throw notFound('run', wanted[0]!)
    const runs = ids.map((id) => detailOf(rowOf(this.#context, id), this.#context))
    return {
      missing: wanted.filter((id) => !ids.includes(id)),
      runs,
      settings: settingsOf(runs),
      numbers: this.#history.numbers(ids),
      series: ids.map((runId) => ({ runId, series: store.metrics.series(runId, { points }) })),
      layers: runs.map((run) => ({ runId: run.id, layers: this.#layers(run) })),
      samples: samplesOf(ids.map((id) => store.records.samples(id))),
    }
  }

  /** From the checkpoints where the library has them, from the last snapshot of pruning otherwise. */
  #layers(run: RunDetail): KeptLayers {
    const before = this.#layersOf(run.checkpointId)
    const after = this.#layersOf(run.outputId) ?? (run.kind === 'prune' ? null : before)
    if (before && after && before.length === after.length)
      return after.map(({ heads, keyValueHeads, channels }, layer) => ({
        heads,
        headsOf: before[layer]!.heads,
        keyValueHeads,
        keyValueHeadsOf: before[layer]!.keyValueHeads,
        channels,
        channelsOf: before[layer]!.channels,
      }))
    const snapshot = this.#context.runs.records.snapshot(run.id, Number.MAX_SAFE_INTEGER)
    return (snapshot?.layers ?? []).map(({ heads, channels }, layer) => {
      const groups = heads.kept.length
      const kept = heads.kept.filter((share) => share > 0).length
      const { heads: headsOf, keyValueHeads: keyValueHeadsOf } = before?.[layer] ?? {
        heads: groups,
        keyValueHeads: groups,
      }
      return {
        // What leaves together may be a key/value head with its query heads.
        heads: (kept * headsOf) / groups,
        headsOf,
        // Query heads that leave alone leave the keys and values, as long as any of them is there.
        keyValueHeads: groups === keyValueHeadsOf ? kept : kept > 0 ? keyValueHeadsOf : 0,
        keyValueHeadsOf,
        channels: Math.round(channels.count * mean(channels.kept)),
        channelsOf: channels.count,
      }
    })
  }

  #layersOf(checkpointId: number | null): RunDetail['layersBefore'] {
    const row = checkpointId === null ? undefined : this.#context.checkpoints.get(checkpointId)
    const inspection = row && inspectionOf(row)
    return inspection?.kind === 'checkpoint' ? inspection.layers : null
  }
}

const mean = (values: readonly number[]): number =>
  values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length

/** Every setting of any of the runs. */
function settingsOf(runs: readonly RunDetail[]): Comparison['settings'] {
  const jobs = runs.map(({ job }) => flat(saidOf(job)))
  const names = [...new Set(jobs.flatMap((job) => [...job.keys()]))].filter((name) => name !== 'out')
  return names.map((name) => {
    const values = jobs.map((job) => job.get(name) ?? null)
    return { name, values, differs: values.some((value) => !isDeepStrictEqual(value, values[0])) }
  })
}

function flat(value: object, prefix = ''): Map<string, unknown> {
  return new Map(
    Object.entries(value).flatMap(([name, part]: [string, unknown]) =>
      typeof part === 'object' && part !== null && !Array.isArray(part)
        ? [...flat(part, `${prefix}${name}.`)]
        : [[`${prefix}${name}`, part] as const],
    ),
  )
}

/** The last text of each run for every prompt. */
function samplesOf(samples: readonly { prompt: string; text: string }[][]): Comparison['samples'] {
  const prompts = [...new Set(samples.flatMap((own) => own.map(({ prompt }) => prompt)))]
  return prompts.map((prompt) => ({
    prompt,
    texts: samples.map((own) => own.findLast((sample) => sample.prompt === prompt)?.text ?? null),
  }))
}
