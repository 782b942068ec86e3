import { untrack } from 'svelte'
import { engine, type RunDetail } from '../../../../electron/contract/index.ts'
import { asProblem, call, type Problem, resource } from '../../client/index.ts'
import { capital, decimalSeparator } from '../../format.ts'
import { idList } from '../../router/routes.ts'
import { router } from '../../router/router.svelte.ts'
import { toasts } from '../../state/toasts.svelte.ts'
import { changesBetween } from './changes.ts'
import { draftOf } from './clone.ts'
import { type Draft, type DraftValue, emptyDraft, evaluates } from './draft.ts'
import { DenseOrigin } from './dense-origin.svelte.ts'
import { isOfTasks, type Mode, modes, sectionsOf } from './form.ts'
import { jobOf } from './job.ts'
import { LiveCheck } from './job-check.svelte.ts'
import { LiveEstimate } from './job-estimate.svelte.ts'
import { applyPreset, type Preset, presets } from './presets.ts'
import { problemsOf } from './problems.ts'
import { dropDraft, keepDraft, readDraft } from './stored-draft.ts'
import { seesOf } from './sees.ts'
import { spendBudget } from './spend-budget.ts'
import { needsScores } from './sweep-draft.ts'
import { SweepPlan } from './sweep-plan.svelte.ts'

/** What pickers show, which say themselves what is wrong with it; so do the lists of a sweep. */
const inPickers = [
  'checkpoint',
  'adapter',
  'compareWith',
  'data',
  'evaluation',
  'evaluation.tasks',
  'evaluation.perplexity',
  'evaluation.images',
  'sweep',
]

/**
 * The form of a new run: the draft that the user fills in, the job that it describes, what is wrong with it and what it
 * would need. To be made while a component is initialised; the draft is kept through a reload of the page.
 */
export class NewRun {
  readonly #query: () => URLSearchParams
  draft: Draft = $state(emptyDraft())
  /** The run that this one is a clone of. */
  parent = $state.raw<RunDetail>()
  /** Whether the draft is there to be filled in. */
  opened = $state(false)
  problem = $state.raw<Problem>()
  /** Whether the user has tried to start: what is still empty is not called wrong before. */
  tried = $state(false)
  starting = $state(false)
  startProblem = $state.raw<Problem>()

  readonly checkpoints = resource('library.list', () => undefined, { keep: true, staleOn: { checkpoint: () => true } })
  readonly datasets = resource('datasets.list', () => undefined, { keep: true, staleOn: { dataset: () => true } })

  readonly origin = new DenseOrigin(() => this)

  readonly isSweep = $derived(this.draft.mode === 'sweep')
  readonly takesAdapter = $derived(this.draft.mode === 'merge' || this.draft.mode === 'evaluate')
  readonly needsData = $derived(!this.takesAdapter)
  readonly scores = $derived(evaluates(this.draft))
  /** What the chosen checkpoint looks at. */
  readonly sees = $derived(seesOf(this.checkpoints.data ?? [], this.draft))
  readonly sections = $derived(sectionsOf(this.draft.mode, this.sees))
  readonly job = $derived(jobOf(this.draft, decimalSeparator, this.sees))
  readonly problems = $derived(problemsOf(this.draft, decimalSeparator, this.sees))
  /** What has to be done before anything can be estimated or started; null where nothing has. */
  readonly missing = $derived.by(() => {
    const messages = [
      'checkpoint',
      'adapter',
      'compareWith',
      'data',
      'evaluation',
      'sweep',
      'cluster.via',
      'cluster.folder',
    ].flatMap((key) => this.problems.get(key) ?? [])
    const { problem, data } = this.cluster
    const noCluster = this.sharesFolder ? (problem ?? (data?.version === null ? data : null)) : null
    if (noCluster?.message) messages.push(`${capital(noCluster.message)}.`)
    if (messages.length > 0) return messages.join(' ')
    return this.problems.size > 0 ? 'Correct the settings that are marked first.' : null
  })
  /** Problems that no field of the form shows. */
  readonly otherProblems = $derived(
    [...this.problems].filter(
      ([key]) =>
        !this.sections.some(({ settings }) => settings.some((setting) => setting.key === key)) &&
        !inPickers.includes(key) &&
        !key.startsWith('values.') &&
        !key.startsWith('cluster.'),
    ),
  )
  /** Whether runs or parts are done on a cluster, and what this computer has of one. */
  readonly onCluster = $derived(isOfTasks(this.draft.mode) && this.draft.where.on !== 'here')
  readonly sharesFolder = $derived(this.onCluster && this.draft.where.on === 'slurm')
  readonly cluster = resource('clusters.report', () => (this.sharesFolder ? undefined : null), { keep: true })
  readonly plan = new SweepPlan(() => this)
  /** Where the run's folder is made; empty: in the folder of the settings. */
  readonly folder = $derived(this.sharesFolder ? this.draft.where.folder.trim() : this.draft.folder)
  readonly estimate = new LiveEstimate(
    () => (this.opened && this.missing === null ? this.job : null),
    () => this.draft.folder,
  )
  readonly check = new LiveCheck(() => (this.opened && this.missing === null ? this.job : null))
  /** Whether the run as it stands would be refused. */
  readonly refused = $derived(
    // Whether a run fits is for the nodes of a cluster to say.
    (this.onCluster ? this.estimate.isWrong : this.estimate.refuses) || this.check.refuses,
  )
  /** The field that the engine's refusal is about: in a sweep the list of the setting where it has one. */
  readonly #refusedField = $derived.by(() => {
    const field = this.estimate.problem?.field?.replace(/^base\./, '')
    return field !== undefined && this.isSweep && Object.hasOwn(this.draft.sweep.lists, field)
      ? `values.${field}`
      : field
  })
  /** Settings in which a clone differs from its parent. */
  readonly changes = $derived.by(() => {
    if (!this.parent) return []
    const parsed = engine.jobSchema.safeParse({ ...this.job, out: this.parent.job.out ?? 'new folder' })
    return parsed.success ? changesBetween(this.parent.job, parsed.data) : []
  })

  constructor(query: () => URLSearchParams) {
    this.#query = query
    $effect(() => {
      void this.#query()
      untrack(() => void this.open())
    })
    $effect(() => {
      if (this.opened) keepDraft(sessionStorage, this.#snapshot())
    })
  }

  /** Fills the form in: as it was before a reload, as the parent was, or as the address asks. */
  async open(): Promise<void> {
    const query = this.#query()
    const from = Number(query.get('from')) || null
    this.problem = undefined
    try {
      const stored = readDraft(sessionStorage, from)
      this.parent = from === null ? undefined : await call('runs.get', { id: from })
      const draft = stored ?? this.#first()
      this.origin.keep(draft)
      if (from === null) await fillIn(draft, query)
      else if (stored === null) spendBudget(draft, query.get('budget'), query.has('uniform'))
      const preset = stored === null && presets.find(({ name }) => name === query.get('preset'))
      this.draft = preset ? applyPreset(draft, preset) : draft
      this.opened = true
    } catch (error) {
      this.problem = asProblem(error)
    }
  }

  /** What is wrong with a field: what the schema finds as it is typed, and what the engine finds of the whole job. */
  errorOf(key: string): string | undefined {
    const refused = this.missing === null && this.#refusedField === key
    return this.problems.get(key) ?? (refused ? this.estimate.problem?.message : undefined)
  }
  /** The same of a picker, which is empty at first. */
  pickerErrorOf(key: string): string | undefined {
    return this.tried ? this.errorOf(key) : undefined
  }

  set(key: string, value: DraftValue | undefined): void {
    if (value === undefined) delete this.draft.values[key]
    else this.draft.values[key] = value
  }
  changeMode(mode: Mode): void {
    if (mode === 'sweep') this.draft.evaluate = needsScores(this.draft.sweep)
    this.draft.mode = mode
  }
  changeSweep(sweep: Draft['sweep']): void {
    if (sweep.preset !== this.draft.sweep.preset) this.draft.evaluate = needsScores(sweep)
    this.draft.sweep = sweep
  }
  choosePreset(preset: Preset): void {
    const before = this.#snapshot()
    this.draft = applyPreset(before, preset)
    toasts.undoable(`Settings of “${preset.title}”`, async () => void (this.draft = before))
  }
  startOver(): void {
    const before = this.#snapshot()
    this.#replace(this.#first())
    toasts.undoable('The form is as it was at first', async () => this.#replace(before))
  }

  /** Creates the run and goes to its page. Tells whether the form was ready for it. */
  async start(): Promise<boolean> {
    this.tried = true
    if (this.missing !== null) {
      this.startProblem = undefined
      return false
    }
    this.starting = true
    try {
      await this.check.settled()
      if (this.check.refuses) return false
      const { parentId } = this.draft
      const name = this.draft.name.trim()
      const run = await call('runs.create', {
        job: $state.snapshot(this.job),
        ...(name && { name }),
        ...(this.folder !== '' && { folder: this.folder }),
        ...(parentId !== null && { parentId }),
      })
      this.opened = false
      dropDraft(sessionStorage, parentId)
      router.go('runs', run.id)
    } catch (error) {
      this.startProblem = asProblem(error)
    } finally {
      this.starting = false
    }
    return true
  }

  #first(): Draft {
    if (!this.parent) return emptyDraft()
    const draft = draftOf(this.parent.job, this.parent)
    // It may have been moved since.
    return { ...draft, checkpoint: this.parent.checkpointPath ?? draft.checkpoint }
  }
  #replace(draft: Draft): void {
    this.origin.keep(draft)
    this.draft = draft
  }
  #snapshot(): Draft {
    return $state.snapshot(this.draft) as Draft
  }
}

/** Puts what the address asks for into a draft: kind of run, figure of the paper, checkpoint, data set, what is scored. */
async function fillIn(draft: Draft, query: URLSearchParams): Promise<void> {
  const mode = modes.find((each) => each === query.get('kind'))
  const figure = engine.sweepPreset.safeParse(query.get('figure')).data
  const [checkpointId, datasetId] = ['checkpoint', 'data'].map((name) => Number(query.get(name)) || null)
  if (mode) draft.mode = mode
  if (figure) draft.sweep = { ...draft.sweep, preset: figure, variants: [] }
  if (mode === 'sweep') draft.evaluate = needsScores(draft.sweep)
  if (checkpointId) {
    const { path, kind } = await call('library.get', { id: checkpointId })
    if (kind === 'adapter') draft.adapter = path
    else draft.checkpoint = path
  }
  const scored = idList(query.get('score'))
  if (!datasetId && scored.length === 0) return
  const datasets = await call('datasets.list')
  const dataset = datasets.find(({ id }) => id === datasetId)
  if (dataset) draft.data = [dataset.path]
  for (const { id, task, path } of datasets) if (task && scored.includes(id)) draft.tasks[task] = path
}
