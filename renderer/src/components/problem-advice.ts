import type { Problem } from '../../../electron/contract/index.ts'

const advice: Record<string, string> = {
  'bad-setting': 'Change the setting and try again.',
  'bad-file': 'Correct the path or the file, then try again.',
  'does-not-fit': 'Free memory or disk space, or choose settings that need less.',
  unsupported: 'Secateur cannot do this here; the message says what is missing.',
  'not-found': 'It may have been moved or deleted. Look for it in the library or the history.',
  'in-use': 'Wait until it is free, or stop what uses it.',
  conflict: 'Something changed meanwhile. Look at it again and repeat what you wanted.',
  interrupted: 'You can start it again.',
  disconnected: 'Nothing is lost: this page goes on as soon as Secateur can be reached.',
  internal: 'Try again. If it happens again, the log in the data folder says more (Settings shows where).',
}

/** What to do about a problem, in a sentence; none where the message has to suffice. */
export const adviceFor = ({ kind }: Pick<Problem, 'kind'>): string | undefined => advice[kind]
