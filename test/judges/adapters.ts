import type { Judge } from './judge.ts'
import { ids, targets, writeAnswers } from './ours.ts'
import { byModel, difference } from './tables.ts'
import { agrees, type Verdict } from './verdicts.ts'
import type { Question } from './workshop.ts'

/** PEFT loads every adapter that Secateur writes, and Secateur those of PEFT. */
export const peftJudge: Judge = {
  name: 'peft',
  title: 'Adapters, loaded by PEFT',
  async judge({ models, workshop, say }) {
    const questions: Question[] = []
    for (const { model, folder: base, adapter: peft } of await workshop.bases(models)) {
      say(`Secateur writes adapters of ${model}`)
      const adapters = {
        Secateur: await workshop.adapter(model),
        // Linear layers that some families store together with others, which get no adapter.
        'Secateur (k, up)': await workshop.adapter(model, ['k', 'up']),
        PEFT: peft,
      }
      for (const [what, adapter] of Object.entries(adapters)) {
        const answers = await writeAnswers(workshop.path(`${model}-${what}.safetensors`), base, adapter)
        questions.push({ model, what, base, adapter, ids, targets, answers })
      }
    }
    say(`PEFT reads ${questions.length} adapters`)
    const { versions, verdicts } = await workshop.ask('peft_judge.py', questions)
    for (const verdict of verdicts) if (!agrees(verdict)) say(`DIFFERS ${JSON.stringify(verdict)}`)
    return {
      agrees: verdicts.every(agrees),
      versions,
      text: `Each adapter is loaded onto its base model, by PEFT and by Secateur. Gradients are those of the mean loss with respect
to every A and B.

${byModel(verdicts, cells)}`,
    }
  },
}

const cells = (verdicts: readonly Verdict[]): Record<string, string> =>
  Object.fromEntries(
    verdicts.flatMap(({ what, logits, gradients, error }) => [
      [`${what}: logits`, error ?? difference(logits)],
      [`${what}: gradients`, difference(gradients)],
    ]),
  )
