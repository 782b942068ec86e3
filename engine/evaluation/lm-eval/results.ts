import { isTaskName, type PartScore, type TaskScores } from '../../contract/index.ts'
import { mmluCategories } from '../tasks/mmlu-subjects.ts'

/** What lm-evaluation-harness calls the versions of the tasks whose prompts ours are. */
const versions: Readonly<Record<string, number | string>> = { boolq: 2, mmlu: '2' }
/** The harness writes versions of groups as text. */
const [taskVersion, groupVersion] = [1, '2']

type Metrics = Record<string, number | string | null | Record<string, number>>

/** Parts of the harness's results that are told task by task. */
export interface ResultParts {
  results: Record<string, Metrics>
  groups: Record<string, Metrics>
  group_subtasks: Record<string, string[]>
  configs: Record<string, object>
  versions: Record<string, number | string>
  'n-shot': Record<string, number>
  higher_is_better: Record<string, Record<string, boolean>>
  'n-samples': Record<string, { original: number; effective: number }>
}

/** A task that was scored. */
export interface ScoredForHarness {
  name: string
  score: TaskScores
  /** Where its rows come from. */
  file: string
  /** The task file of the user's own. */
  config: { metadata?: { version?: number | string | undefined } | null | undefined } | null
}

/** The harness has no error of a single row. */
const errorOf = (error: number | null | undefined) => error ?? 'N/A'

/** Scores in the layout of lm-evaluation-harness 0.4.13, as far as it is true of them. */
export function resultParts(tasks: readonly ScoredForHarness[]): ResultParts {
  const parts: ResultParts = {
    results: {},
    groups: {},
    group_subtasks: {},
    configs: {},
    versions: {},
    'n-shot': {},
    higher_is_better: {},
    'n-samples': {},
  }
  for (const task of tasks) {
    if (task.score.subjects) addGroup(parts, task)
    else addTask(parts, task)
  }
  return parts
}

function addTask(parts: ResultParts, { name, score, file, config }: ScoredForHarness): void {
  const metrics = metricsOf(score)
  parts.results[name] = { name, alias: name, sample_len: score.n, ...metrics }
  const version = isTaskName(name) ? (versions[name] ?? taskVersion) : (config?.metadata?.version ?? 'Yaml')
  addFacts(parts, name, { score, version, total: score.total ?? score.n, n: score.n })
  parts.configs[name] = { ...(config ?? { dataset_path: file }), task: name, num_fewshot: score.examples ?? 0 }
}

function metricsOf({ acc, stderr, accNorm, stderrNorm, perplexity, stderrPerplexity }: TaskScores): Metrics {
  return {
    ...(perplexity !== undefined && {
      'perplexity,none': perplexity,
      'perplexity_stderr,none': errorOf(stderrPerplexity),
    }),
    'acc,none': acc,
    'acc_stderr,none': errorOf(stderr),
    ...(accNorm !== undefined && { 'acc_norm,none': accNorm, 'acc_norm_stderr,none': errorOf(stderrNorm) }),
  }
}

interface Facts {
  score: TaskScores
  version: number | string
  /** Rows that there are, and rows that were scored; not of groups. */
  total?: number
  n?: number
}

function addFacts(parts: ResultParts, name: string, { score, version, total, n }: Facts): void {
  parts.versions[name] = version
  parts['n-shot'][name] = score.examples ?? 0
  parts.higher_is_better[name] = {
    ...(score.perplexity !== undefined && { perplexity: false }),
    acc: true,
    ...(score.accNorm !== undefined && { acc_norm: true }),
  }
  if (total !== undefined && n !== undefined) parts['n-samples'][name] = { original: total, effective: n }
}

/** A task of subjects: a task for each, a group for each category, and a group of all. */
function addGroup(parts: ResultParts, { name, score, file }: ScoredForHarness): void {
  for (const subject of score.subjects!) {
    const own = `${name}_${subject.name}`
    parts.results[own] = { name: own, alias: subject.name, sample_len: subject.n, ...metricsOf(subject) }
    addFacts(parts, own, { score, version: taskVersion, total: subject.total ?? subject.n, n: subject.n })
    parts.configs[own] = { task: own, task_alias: subject.name, dataset_path: file, num_fewshot: score.examples ?? 0 }
  }
  const addGroupOf = (group: string, alias: string, part: Omit<PartScore, 'name'>, children: string[]) => {
    const { acc, stderr, n } = part
    const entry = { alias, name: group, sample_len: n, 'acc,none': acc, 'acc_stderr,none': errorOf(stderr) }
    parts.results[group] = { ...entry, sample_count: { 'acc,none': n } }
    parts.groups[group] = parts.results[group]
    parts.group_subtasks[group] = children
    addFacts(parts, group, { score, version: groupVersion })
  }
  const categories = score.categories ?? []
  addGroupOf(
    name,
    name,
    score,
    Object.keys(mmluCategories)
      .filter((category) => categories.some((each) => each.name === category))
      .map((category) => `${name}_${category}`),
  )
  for (const category of categories) {
    const children = score.subjects!.filter((subject) => subject.category === category.name)
    addGroupOf(
      `${name}_${category.name}`,
      category.name.replaceAll('_', ' '),
      category,
      children.map((subject) => `${name}_${subject.name}`),
    )
  }
}
