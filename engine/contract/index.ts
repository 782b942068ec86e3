/**
 * Contract B: the job that the engine is given, and the events that come out. The command line and the app send the same
 * job; every message is parsed with these schemas at the boundary.
 *
 * Two processes speak it over Node's IPC (`fork` with `serialization: 'advanced'`):
 * - engine/entries/run.ts takes one `run` command, sends events, and ends; `stop` ends it early with its state saved.
 * - engine/entries/service.ts answers requests for as long as it lives; see `serviceMethods`.
 */

export * from './amount.ts'
export * from './budget.ts'
export * from './checkpoint.ts'
export * from './cluster.ts'
export * from './command.ts'
export * from './compared-choices.ts'
export * from './compatibility.ts'
export * from './copy.ts'
export * from './criteria/index.ts'
export * from './data-check.ts'
export * from './dataset.ts'
export * from './estimate.ts'
export * from './evaluation.ts'
export * from './events.ts'
export * from './export.ts'
export * from './fits.ts'
export * from './found-models.ts'
export * from './image-set.ts'
export * from './import.ts'
export * from './job.ts'
export * from './job-paths.ts'
export * from './metrics.ts'
export { decoderLinears, failureSchema, linearName } from './names.ts'
export * from './phases.ts'
export * from './plan.ts'
export * from './playground.ts'
export * from './paired.ts'
export * from './predictions.ts'
export * from './presets.ts'
export * from './prune.ts'
export { type OnProblem, renamedIn, renameSettings } from './renamed.ts'
export { scoresOf } from './result-scores.ts'
export * from './run-files.ts'
export * from './runner.ts'
export * from './service.ts'
export { backendName, machineSettings, most, outputDtype, trainingSettings } from './settings.ts'
export * from './speed.ts'
export * from './sweep.ts'
export * from './tasks.ts'
export * from './teacher.ts'
