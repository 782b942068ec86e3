import { slurm } from './commands.ts'
import { type Submissions, writeSubmissions } from './cluster-folder.ts'

/**
 * Finds arrays whose numbers were lost, because this computer or the controller went down between question and answer: by
 * their names, which were written down before. What the queue does not have was never taken, or is over.
 *
 * @throws SecateurError where the scheduler does not answer
 */
export async function recover(folder: string, known: Submissions): Promise<void> {
  const lost = known.submissions.filter(({ array }) => array === null)
  if (lost.length === 0) return
  for (const submission of lost) {
    const text = await slurm('squeue', ['--noheader', `--name=${submission.name}`, '--format=%F'])
    submission.array = /^\d+/m.exec(text)?.[0] ?? null
  }
  known.submissions = known.submissions.filter(({ array }) => array !== null)
  writeSubmissions(folder, known)
}
