import { z } from 'zod'
import { engine, type SavedCluster } from '../../../../electron/contract/index.ts'
import { capital } from '../../format.ts'
import { fieldsOf, type Setting } from './form.ts'
import { messageOf, valueOf } from './typed.ts'

/** Where the runs of a sweep are done, as the user has put it into the form. */
export const clusterDraftSchema = z.object({
  on: z.enum(['here', 'slurm', 'ssh']),
  /** Folder on shared storage in which the sweep gets its own; over ssh, by its path on the cluster. */
  folder: z.string(),
  /** Name that the settings were saved under; '' for settings of their own. */
  name: z.string(),
  /** By the name of the setting; over ssh, a folder `here` and where the cluster has it, `there`. */
  values: z.record(z.string(), z.union([z.string(), z.boolean(), z.array(z.string())])),
})
export type ClusterDraft = z.infer<typeof clusterDraftSchema>

export const here = (): ClusterDraft => ({ on: 'here', folder: '', name: '', values: {} })

/** What the app says itself, or asks for in fields of their own. */
const own = ['scheduler', 'watch', 'resubmit', 'via', 'remote', 'map', 'fetchOutputs']

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
  setup: {
    label: 'Setup file',
    sentence: 'Shell file that a node reads before each run: modules, Node, a container.',
    browse: 'file',
  },
  secateur: {
    label: "Secateur's folder",
    sentence: 'On shared storage, as the nodes see it; left empty, the one that this app was started from.',
    browse: 'folder',
  },
  fetchOutputs: {
    label: 'Fetch the weights',
    sentence: 'Of finished runs too, once they are done. Scores, curves and logs are fetched in any case.',
  },
}

const allSettings: readonly Setting[] = fieldsOf(z.toJSONSchema(engine.clusterSchema, { io: 'input' }), '').map(
  (setting) => ({ ...setting, ...shown[setting.key] }),
)
const clusterSettings: readonly Setting[] = allSettings.filter(({ key }) => !own.includes(key))
/** What is asked of one over ssh too. */
const fetchSetting: Setting = allSettings.find(({ key }) => key === 'fetchOutputs')!

/** What other words are said of over ssh. */
const overSsh: Record<string, string> = {
  secateur: 'By its path on the cluster, as the login node and all nodes see it.',
  setup: 'Shell file on the cluster that a node reads before each run: modules, Node, a container.',
}
const sshSettings: readonly Setting[] = [...clusterSettings, fetchSetting].map((setting) => ({
  ...setting,
  browse: setting.browse && null,
  sentence: overSsh[setting.key] ?? setting.sentence,
}))

/** What other words are said of where the parts of an evaluation are done. */
const ofParts: Record<string, Partial<Setting>> = {
  partition: { sentence: 'Partition that the parts go to.' },
  gpus: { sentence: 'Graphics cards of each part: a task, a text and so on.' },
  cpus: { sentence: 'Processors of each part, and its threads where its settings do not say.' },
  memory: { sentence: "Of each part; the partition's default where it is left empty." },
  time: { sentence: 'Of each start of a part, as 12:00:00. One that is not done by then begins anew: give it enough.' },
  parallel: { label: 'Parts at a time', unit: 'parts' },
  setup: { sentence: 'Shell file that a node reads before each part: modules, Node, a container.' },
}

/** Settings of the cluster that a draft is about, as a form shows them. */
export function settingsOfCluster({ on }: Pick<ClusterDraft, 'on'>, of: 'runs' | 'parts' = 'runs'): readonly Setting[] {
  const settings = on === 'ssh' ? sshSettings : clusterSettings
  // Parts write no weights that could be fetched.
  return of === 'runs'
    ? settings
    : settings.filter(({ key }) => key !== 'fetchOutputs').map((setting) => ({ ...setting, ...ofParts[setting.key] }))
}

/** Text of a field without spaces around it; undefined where it is empty. */
const textOf = ({ values }: ClusterDraft, key: string): string | undefined =>
  String(values[key] ?? '').trim() || undefined

/** The cluster of a draft as a job has it. */
export function clusterOf(draft: ClusterDraft, decimal: string): Record<string, unknown> {
  const settings = Object.fromEntries(
    settingsOfCluster(draft).flatMap((setting) => {
      const value = valueOf(setting, draft.values[setting.key], decimal)
      return value === undefined ? [] : [[setting.key, value] as const]
    }),
  )
  if (draft.on !== 'ssh') return settings
  const [via, from, to] = ['via', 'here', 'there'].map((key) => textOf(draft, key))
  const map = from !== undefined && to !== undefined ? { map: { [from]: to } } : {}
  return { ...settings, ...map, via: via ?? '', remote: draft.folder.trim() }
}

/** A cluster as it is saved under a name, or stands in a job, to be changed in the form. */
export function draftOfCluster(
  settings: engine.ClusterSettings,
  { folder, name }: Partial<SavedCluster>,
): ClusterDraft {
  const values = sshSettings.flatMap(({ key, standard }) => {
    const value = (settings as Record<string, unknown>)[key]
    return value === undefined || value === standard
      ? []
      : [[key, typeof value === 'boolean' ? value : String(value)] as const]
  })
  const { via, map = {} } = settings
  const [from] = Object.entries(map)
  const far = { ...(via && { via }), ...(from && { here: from[0], there: from[1] }) }
  return {
    on: via === undefined ? 'slurm' : 'ssh',
    folder: folder ?? '',
    name: name ?? '',
    values: { ...Object.fromEntries(values), ...far },
  }
}

/** A cluster with what a draft of it says, in the same place. */
export const changedCluster = (
  { via, remote, map, watch, resubmit }: engine.ClusterSettings,
  draft: ClusterDraft,
  decimal: string,
): Record<string, unknown> => ({
  ...clusterOf(draft, decimal),
  watch,
  resubmit,
  ...(via !== undefined && { via, remote }),
  ...(map && { map }),
})

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
  if (draft.on === 'here') return
  const isThere = draft.on === 'ssh'
  for (const issue of engine.clusterSchema.safeParse(clusterOf(draft, decimal)).error?.issues ?? [])
    problems.set(`cluster.${issue.path.join('.')}`, capital(messageOf(issue)))
  const folder = problems.get('cluster.remote')
  problems.delete('cluster.remote')
  if (folder !== undefined) problems.set('cluster.folder', folder)
  if (draft.folder.trim() === '')
    problems.set(
      'cluster.folder',
      isThere
        ? 'Type the folder of the cluster in which sweeps get theirs.'
        : 'Choose a folder on storage that this computer and the nodes of the cluster share.',
    )
  if (isThere && textOf(draft, 'via') === undefined)
    problems.set('cluster.via', 'Type the address of a login node, as ssh://user@login.')
  if (isThere && (textOf(draft, 'here') === undefined) !== (textOf(draft, 'there') === undefined))
    problems.set('cluster.map', 'Type both folders, or neither.')
}
