import { z } from 'zod'
import { clusterReportSchema, clusterSchema, taskReportSchema } from '../../engine/contract/index.ts'
import { byId, type MethodTable, name, nothing, path } from './common.ts'

/** How a cluster is asked for runs, under a name. */
export const savedClusterSchema = z.strictObject({
  name,
  /** Folder on shared storage in which sweeps get theirs; by its path on the cluster, where that is reached over ssh. */
  folder: path,
  settings: clusterSchema,
})
export type SavedCluster = z.infer<typeof savedClusterSchema>

/** Requests about sweeps on a cluster. */
export const clusterMethods = {
  /** Whether sweeps can be submitted from this computer. */
  'clusters.report': [nothing, clusterReportSchema],
  /** The same of a login node that is reached over ssh. */
  'clusters.try': [z.strictObject({ cluster: clusterSchema }), clusterReportSchema],
  /** How a run of a sweep stands on its cluster; null for a run that is on none. */
  'clusters.task': [byId, taskReportSchema.nullable()],
} as const satisfies MethodTable
