import type { engine, RunDetail } from '../../../../electron/contract/index.ts'

/** The cluster that a sweep, or an evaluation in parts, is done on; undefined of all other runs. */
export const clusterOfRun = ({ job }: Pick<RunDetail, 'job'>): engine.ClusterSettings | undefined =>
  'cluster' in job ? job.cluster : undefined

/** Whether it is a run of such a sweep, which the sweep alone starts and ends. */
export const isOfCluster = ({ sweepId }: Pick<RunDetail, 'sweepId'>): boolean => sweepId !== null
