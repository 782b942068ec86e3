import { files } from './recipe.ts'

/** The note beside the sample's files. */
export const readme = (seed: number) => `# The sample

A small Llama-style language model and everything needed to prune, heal and score it. All of it is about one invented
world (people, towns, animals, trades, things and what becomes of them). No text was taken from anywhere: every sentence
is put together by \`scripts/make-sample\` from seed ${seed}; \`npm run make-sample\` makes all files again, the same to
the last byte but for the model, whose training may round differently on another machine.

- \`model/\`: the checkpoint in Hugging Face's form, with its tokenizer (byte-level BPE). \`scripts/make-sample/recipe.ts\`
  says how large it is and how it was trained.
- \`train.jsonl\`: ${files.healingDocuments} documents of the kind that the model was trained on, to heal a pruned model with.
- \`heldout.txt\`: paragraphs that neither training nor healing text holds, one a line, for perplexity.
- \`instructions.json\`: ${files.instructions} instructions with answers, in Stanford Alpaca's form.
- \`tasks/\`: ${files.questionsPerTask} questions for each of seven zero-shot tasks, in the files and fields of the official
  BoolQ, PIQA, HellaSwag, WinoGrande, ARC and OpenBookQA. Only the form is theirs; the questions are about this world.

The questions ask for knowledge that no training text holds in the form in which it is asked. A fact that is asked for was
only told; that an iron key sinks was never said, but that the key is of iron and that other iron things sink. Wrong
answers are of the same sort as the right one, which stands at each place equally often.
`
