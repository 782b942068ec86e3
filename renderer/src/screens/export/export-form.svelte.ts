import { untrack } from 'svelte'
import type { CheckpointDetail } from '../../../../electron/contract/index.ts'
import { asProblem, call, type Problem, resource } from '../../client/index.ts'
import { router } from '../../router/router.svelte.ts'
import { LiveEstimate } from '../new-run/job-estimate.svelte.ts'
import { calibrationLabel, placeLabel } from './export-words.ts'
import { draftOfExport, emptyExport, type ExportDraft, exportJobOf, firstFormat, typeOf } from './export-draft.ts'

/** The form of an export: what was chosen, where it goes, and what it would come to. To be made while a component is initialised. */
export class ExportForm {
  readonly #checkpoint: () => CheckpointDetail
  draft: ExportDraft = $state(emptyExport())
  starting = $state(false)
  startProblem = $state.raw<Problem>()
  readonly #offered = resource(
    'library.exportPlace',
    () => {
      const { format, folder } = this.draft
      return { id: this.#checkpoint().id, format, type: typeOf(this.draft), ...(folder !== null && { folder }) }
    },
    { keep: true, staleOn: { checkpoint: () => true } },
  )
  /** Where it goes; undefined until a name is offered. */
  readonly place = $derived(this.draft.place?.trim() ?? this.#offered.data)
  readonly job = $derived.by(() => (this.place ? exportJobOf(this.#checkpoint().path, this.draft, this.place) : null))
  readonly estimate = new LiveEstimate(() => this.job)
  /** The last answer of the engine, where it is about this format. */
  readonly answer = $derived.by(() =>
    this.estimate.answered?.['format'] === this.draft.format ? this.estimate.answer : undefined,
  )
  /** What is wrong with the place itself: it stands beside its field. */
  readonly placeProblem = $derived.by(() => {
    if (this.draft.place?.trim() === '') return 'Say where the export shall go.'
    const problem = this.#offered.problem ?? this.estimate.problem
    if (!problem) return undefined
    const { place } = this
    // The place itself, something in it that is in the way, or a folder above it that cannot be written.
    const isPlace = place && problem.file && (problem.file.startsWith(place) || place.startsWith(problem.file))
    return isPlace || problem === this.#offered.problem ? problem.message : undefined
  })
  /** What is wrong with the calibration text, as the engine or the start has found: it stands beside its field. */
  readonly calibrationProblem = $derived(
    [this.estimate.problem, this.startProblem].find((problem) => problem?.field === 'calibrate')?.message,
  )
  /** The same with the field's name, for the button, which the field may have scrolled out of sight of. */
  readonly fieldProblem = $derived.by(() => {
    if (this.placeProblem) return `${placeLabel(this.draft)}: ${this.placeProblem}`
    return this.calibrationProblem && `${calibrationLabel}: ${this.calibrationProblem}`
  })
  /** What else the engine finds wrong. */
  readonly otherProblem = $derived(
    this.placeProblem || this.estimate.problem?.field === 'calibrate' ? undefined : this.estimate.problem,
  )
  /** Until a name is offered for what is chosen now, that of the last choice still stands in the field. */
  readonly #isNamed = $derived(this.draft.place !== null || !this.#offered.loading)
  readonly ready = $derived(
    this.#isNamed &&
      this.job !== null &&
      !this.estimate.refuses &&
      this.estimate.problem === undefined &&
      this.answer !== undefined,
  )

  constructor(checkpoint: () => CheckpointDetail) {
    this.#checkpoint = checkpoint
    this.draft.format = firstFormat(untrack(checkpoint).compatibility)
  }

  /** Fills the form in as an earlier export was. */
  async fillFrom(run: number): Promise<void> {
    try {
      const { job } = await call('runs.get', { id: run })
      if (job.kind === 'export') this.draft = draftOfExport(job)
    } catch (error) {
      this.startProblem = asProblem(error)
    }
  }

  change(changes: Partial<ExportDraft>): void {
    this.draft = { ...this.draft, ...changes }
    this.startProblem = undefined
  }

  /** Queues the export and goes to its page. */
  async start(): Promise<void> {
    const { job } = this
    if (!job) return
    this.starting = true
    this.startProblem = undefined
    try {
      const run = await call('runs.create', { job: $state.snapshot(job) })
      router.go('runs', run.id)
    } catch (error) {
      this.startProblem = asProblem(error)
    } finally {
      this.starting = false
    }
  }
}
