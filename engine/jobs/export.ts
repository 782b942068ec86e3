import type { Exported, ExportJob, JobContext, ResultEvent } from '../contract/index.ts'
import { chooseBackend } from '../backends/choose.ts'
import { announce } from '../estimate/announce.ts'
import { exportWork } from '../estimate/phase-work.ts'
import { peakMemory } from '../estimate/memory.ts'
import { Calibration, calibrationTexts } from '../export/calibrate.ts'
import { type ExportControl, exportGguf } from '../export/gguf/export.ts'
import { exportOnnx, proveOnnx } from '../export/onnx/export.ts'
import { exportSafetensors } from '../export/safetensors.ts'
import { checkPlace } from '../export/place.ts'
import { prove } from '../export/proof.ts'
import { calibrates } from '../export/calibrates.ts'
import { proofFits, proofMemory, readsTexts } from '../export/size.ts'
import { type Checkpoint, openCheckpoint } from '../models/checkpoint.ts'
import { StageProgress } from '../runs/stage-progress.ts'
import { startedOf } from '../runs/started.ts'
import { sizeText } from '../shared/size-text.ts'
import type { WorkControl } from '../shared/work-control.ts'

/** Writes a checkpoint in the format of another program, and says what came of it. */
export async function exportCheckpoint(job: ExportJob, { emit, signal }: JobContext): Promise<ResultEvent> {
  const started = performance.now()
  checkPlace(job)
  using checkpoint = openCheckpoint(job.checkpoint)
  await announce(job, checkpoint, emit)
  const writing = new StageProgress('writing', emit)
  const proves = proofFits(job, checkpoint)
  const backend = proves || calibrates(job) ? await chooseBackend(job) : null
  if (backend) emit(startedOf(job, backend))
  if (job.proof && !proves) emit({ type: 'warning', message: withoutProof(job, checkpoint) })
  const calibrating = new StageProgress('calibrating', emit)
  const proving = new StageProgress('proving', emit)
  const proof = (file: string, control: WorkControl) => {
    emit({ type: 'phase', phase: 'proving' })
    return job.format === 'onnx' ? proveOnnx(file, checkpoint, control, job.threads) : prove(file, checkpoint, control)
  }
  emit({ type: 'work', phases: exportWork(job, checkpoint) })
  emit({ type: 'phase', phase: 'writing' })
  const written = await write(job, checkpoint, {
    signal,
    progress: (done, total) => writing.report(done, total),
    say: (message) => emit({ type: 'log', level: 'info', message }),
    warn: (message) => emit({ type: 'warning', message }),
    calibrated: calibrates(job)
      ? async () =>
          new Calibration(checkpoint, await calibrationTexts(job.calibrate, checkpoint, { signal }), {
            signal,
            progress: (done, total) => calibrating.report(done, total),
          })
      : null,
    prove: proves ? (file) => proof(file, { signal, progress: (done, total) => proving.report(done, total) }) : null,
  })
  const { parameters } = checkpoint
  return {
    type: 'result',
    export: written,
    parameters: { before: parameters, after: parameters },
    ...peakMemory(),
    seconds: (performance.now() - started) / 1000,
  }
}

function write(job: ExportJob, checkpoint: Checkpoint, control: ExportControl): Promise<Exported> {
  switch (job.format) {
    case 'gguf':
      return exportGguf(job, checkpoint, control)
    case 'safetensors':
      return exportSafetensors(job, checkpoint, control)
    case 'onnx':
      return exportOnnx(job, checkpoint, control)
  }
}

const withoutProof = (job: ExportJob, checkpoint: Checkpoint): string =>
  readsTexts(checkpoint)
    ? `The file is not read back and run: that would take about ${sizeText(proofMemory(job, checkpoint))} of memory, and there is less.`
    : 'The file is not read back and run: that is done on texts, and this is a model of images.'
