import { z } from 'zod'
import { engine, type SavedCluster } from '../../../../electron/contract/index.ts'
import { capital } from '../../format.ts'
import { fieldsOf, type Setting } from './form.ts'
import { messageOf, valueOf } from './typed.ts'

/** Where the runs of a sweep are done, as the user has put it into the form. */
export const clusterDraftSchema = z.object({
  on: z.enum(['here', 'slurm']),
  /** Folder on shared storage in which the sweep gets its own. */
  folder: z.string(),
  /** Name that the settings were saved under; '' for settings of their own. */
  name: z.string(),
  /** By the name of the setting. */
  values: z.record(z.string(), z.union([z.string(), z.boolean(), z.array(z.string())])),
})
export type ClusterDraft = z.infer<typeof clusterDraftSchema>

export const here = (): ClusterDraft => ({ on: 'here', folder: '', name: '', values: {} })

/** What the app says itself. */
const own = ['scheduler', 'watch', 'resubmit']

/** Words of the command line's help that would be strange in a form, and units. */
const shown: Record<string, Partial<Setting>> = {
  gpus: { label: 'GPUs', sentence: 'Graphics cards of each run.' },
  cpus: { label: 'CPUs', sentence: 'Processors of each run, and its threads where its settings do not say.' },
  memory: { unit: 'GB', sentence: "Of each run; the partition's default where it is left empty." },
  time: {
    label: 'Time limit',
    sentence: 'Of each start of a run, as 12:00:00. A run that is not done by then goes on in another start.',
  },
  parallel: { label: 'Runs at a time', sentence: 'At most; left empty, as many as the cluster has room for.' },
  setup: { label: 'Setup file', sentence: 'Shell file that a node reads before each run: modules, Node, a container.' },
  secateur: {
    label: "Secateur's folder",
    sentence: 'On shared storage, as the nodes see it; left empty, the one that this app was started from.',
  },
}

/** Settings of a cluster, as the form shows them. */
export const clusterSettings: readonly Setting[] = fieldsOf(z.toJSONSchema(engine.clusterSchema, { io: 'input' }), '')
  .filter(({ key }) => !own.includes(key))
  .map((setting) => ({ ...setting, ...shown[setting.key] }))

/** The cluster of a draft as a job has it. */
export const clusterOf = ({ values }: Pick<ClusterDraft, 'values'>, decimal: string): Record<string, unknown> =>
  Object.fromEntries(
    clusterSettings.flatMap((setting) => {
      const value = valueOf(setting, values[setting.key], decimal)
      return value === undefined ? [] : [[setting.key, value] as const]
    }),
  )

/** A cluster as it is saved under a name, or stands in a job, to be changed in the form. */
export function draftOfCluster(
  settings: engine.ClusterSettings,
  { folder, name }: Partial<SavedCluster>,
): ClusterDraft {
  const values = clusterSettings.flatMap(({ key, standard }) => {
    const value = (settings as Record<string, unknown>)[key]
    return value === undefined || value === standard ? [] : [[key, String(value)] as const]
  })
  return { on: 'slurm', folder: folder ?? '', name: name ?? '', values: Object.fromEntries(values) }
}

/** The draft under its name, to be kept; null where something in it is wrong. */
export function savedCluster(draft: ClusterDraft, name: string, decimal: string): SavedCluster | null {
  const settings = engine.clusterSchema.safeParse(clusterOf(draft, decimal))
  const folder = draft.folder.trim()
  return settings.success && folder !== '' && name.trim() !== ''
    ? { name: name.trim(), folder, settings: settings.data }
    : null
}

/** What is wrong with a cluster, by `cluster.` and the setting. */
export function addClusterProblems(draft: ClusterDraft, decimal: string, problems: Map<string, string>): void {
  if (draft.on !== 'slurm') return
  if (draft.folder.trim() === '')
    problems.set('cluster.folder', 'Choose a folder on storage that this computer and the nodes of the cluster share.')
  for (const issue of engine.clusterSchema.safeParse(clusterOf(draft, decimal)).error?.issues ?? [])
    problems.set(`cluster.${issue.path.join('.')}`, capital(messageOf(issue)))
}
