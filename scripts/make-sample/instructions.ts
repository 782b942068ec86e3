import type { Random } from '../../engine/shared/random.ts'
import { capitalised, pick } from './choose.ts'
import { trainingQuestion, type Task } from './questions/tasks.ts'
import type { World } from './world/world.ts'

/** A row of instruction data as Stanford Alpaca writes it. */
export interface InstructionRow {
  readonly instruction: string
  readonly input: string
  readonly output: string
}

/** A question of a task, or the beginning of one of its texts, put as an instruction. */
export function instructionRow(world: World, random: Random, task: Task): InstructionRow {
  const text = trainingQuestion(world, random, task)
  const asked = /^(?<passage>[^]*?)\n?Question: (?<question>[^]*)\nAnswer: (?<answer>[^]*)$/.exec(text)?.groups
  if (asked) {
    const question = asked['question']!.endsWith('?') ? asked['question']! : `Tell me how ${asked['question']!}.`
    return { instruction: capitalised(question), input: asked['passage']!, output: capitalised(asked['answer']!) }
  }
  const words = text.split(' ')
  const half = Math.ceil(words.length / 2)
  return {
    instruction: pick(random, ['Go on with this text.', 'Finish what I began.', 'Continue.']),
    input: words.slice(0, half).join(' '),
    output: words.slice(half).join(' '),
  }
}
