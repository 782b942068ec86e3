import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Random } from '../../engine/shared/random.ts'
import { root, sample } from '../unit/electron/services.ts'

const compared = ['output/model.safetensors', 'metrics.jsonl', 'pruning.jsonl']
/** Kills of one run at most. */
const mostKills = 4

/** A short pruning run, killed after so many milliseconds where that is given. Says what it printed, and whether it ended well. */
function prune(out: string, resume: boolean, killAfter?: number): Promise<{ code: number | null; stderr: string }> {
  const settings = ['--data', join(sample, 'train.jsonl'), '--max-documents', '40', '--steps', '12', '--frequency', '2']
  const sizes = ['--batch-size', '1', '--sequence-length', '16', '--rank', '2', '--save-every', '1', '--threads', '1']
  const args = ['prune', join(sample, 'model'), ...settings, ...sizes, '--device', 'onnx', '--out', out]
  const child = spawn(
    process.execPath,
    [join(root, 'engine/entries/main.ts'), ...args, ...(resume ? ['--resume'] : [])],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  )
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (more: string) => (stderr += more))
  const timer = killAfter === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), killAfter)
  return new Promise((resolve) =>
    child.on('close', (code) => {
      clearTimeout(timer)
      resolve({ code, stderr })
    }),
  )
}

/**
 * Kills runs at random moments and resumes them, until the time is up: each must end with the bytes of the run that was
 * left alone.
 *
 * @returns how many runs were killed and compared
 */
export async function killRuns(seed: number, milliseconds: number, hear: (wrong: string) => void): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'secateur-kills-'))
  const bytesOf = (name: string) => compared.map((file) => readFileSync(join(folder, name, file)))
  const end = performance.now() + milliseconds
  try {
    const started = performance.now()
    const whole = await prune(join(folder, 'whole'), false)
    if (whole.code !== 0) throw new Error(`a run that was left alone failed: ${whole.stderr}`)
    const longest = performance.now() - started
    const expected = bytesOf('whole')
    let runs = 0
    for (; performance.now() < end; runs++) {
      const random = new Random(seed).fork(`kills.${runs}`)
      const out = join(folder, 'killed')
      rmSync(out, { recursive: true, force: true })
      const moments = Array.from({ length: 1 + random.integer(mostKills) }, () =>
        Math.round(random.uniform() * longest),
      )
      // Of a run that was killed before it had made its folder there is nothing to resume.
      for (const moment of moments) await prune(out, existsSync(out), moment)
      const last = await prune(out, existsSync(out))
      const told = `run ${runs} of seed ${seed}, killed after ${moments.join(', ')} ms`
      if (last.code !== 0) hear(`${told}, did not go on: ${last.stderr}`)
      else
        for (const [at, bytes] of bytesOf('killed').entries())
          if (!bytes.equals(expected[at]!)) hear(`${told}, ended with another ${compared[at]}`)
    }
    return runs
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
