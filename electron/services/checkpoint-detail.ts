import { scoresSchema } from '../../engine/contract/index.ts'
import type { CheckpointDetail, CheckpointSummary } from '../contract/index.ts'
import type { CheckpointRow } from '../database/checkpoints.ts'
import { fitsOf } from './checkpoint-fits.ts'
import { formatOf, imageFactsOf, inspectionOf } from './checkpoint-files.ts'
import type { Context } from './context.ts'
import { denseOf } from './lineage.ts'
import { resultOf } from './run-values.ts'

/** A checkpoint as lists show it. */
export function summaryOfCheckpoint(
  { checkpoints }: Pick<Context, 'checkpoints'>,
  row: CheckpointRow,
): CheckpointSummary {
  const inspection = inspectionOf(row)
  const facts = imageFactsOf(inspection)
  return {
    id: row.id,
    name: row.name,
    path: row.path,
    storage: row.storage,
    kind: row.kind,
    family: row.family,
    parameters: row.parameters,
    dtype: row.dtype,
    format: formatOf(inspection),
    bytes: row.bytes,
    tokenizer: row.tokenizer,
    images: facts && { size: facts.size, classes: facts.classes.length },
    status: row.status,
    mount: row.mount,
    fits: fitsOf(row),
    runId: row.run_id,
    sweep: row.run_id === null ? null : checkpoints.sweepOf(row.run_id),
    tags: checkpoints.tags.of(row.id),
    notes: row.notes,
    favourite: row.favourite === 1,
    added: row.added,
    duplicates: row.content_hash === null ? [] : checkpoints.withHash(row.content_hash).filter((id) => id !== row.id),
    contentHash: row.content_hash,
  }
}

/** Everything that the page of a checkpoint shows. */
export function detailOf(
  { checkpoints, runs }: Pick<Context, 'checkpoints' | 'runs'>,
  row: CheckpointRow,
): CheckpointDetail {
  const inspection = inspectionOf(row)
  const shared = inspection.kind === 'checkpoint' ? inspection : null
  const original = checkpoints
    .parents(row.id)
    .flatMap((id) => checkpoints.get(id) ?? [])
    .find(({ kind }) => kind !== 'adapter')
  const base = original && inspectionOf(original)
  return {
    ...summaryOfCheckpoint({ checkpoints }, row),
    architecture: shared?.architecture ?? null,
    hiddenSize: shared?.hiddenSize ?? 0,
    headSize: shared?.headSize ?? 0,
    vocabularySize: shared?.vocabularySize ?? 0,
    maxPositions: shared?.maxPositions ?? 0,
    tiedEmbeddings: shared?.tiedEmbeddings ?? false,
    imageFacts: imageFactsOf(inspection),
    layers: shared?.layers.map(({ heads, keyValueHeads, channels }) => ({ heads, keyValueHeads, channels })) ?? [],
    originalLayers: shared && base?.kind === 'checkpoint' && row.kind !== 'exported' ? base.layers : null,
    dense: denseOf({ checkpoints }, row)?.id ?? null,
    warnings: shared?.warnings ?? [],
    quantisation: shared?.quantisation ?? null,
    compatibility: shared?.compatibility ?? [],
    exported: exportedAs(runs, row),
    adapter:
      inspection.kind === 'adapter'
        ? {
            rank: inspection.rank,
            alpha: inspection.alpha,
            targetModules: inspection.targetModules,
            base: inspection.base,
          }
        : null,
    files: inspection.files.map(({ name, bytes }) => ({ name, bytes })),
    evaluations: runs.records
      .evaluationsOf(row.id)
      .map(({ scores, ...rest }) => ({ ...rest, scores: scoresSchema.parse(JSON.parse(scores)) })),
    runs: runs.ofCheckpoint(row.id).map((run) => ({
      id: run.id,
      name: run.name,
      kind: run.kind,
      state: run.state,
      role: run.output_id === row.id ? ('output' as const) : ('input' as const),
    })),
  }
}

/** What the export that wrote a checkpoint said of it. */
function exportedAs(runs: Context['runs'], { run_id }: CheckpointRow): CheckpointDetail['exported'] {
  const run = run_id === null ? undefined : runs.get(run_id)
  return (run && resultOf(run)?.export) ?? null
}
