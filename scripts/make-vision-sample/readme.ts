import { files } from './recipe.ts'
import { shapes } from './shapes.ts'

/** The note beside the sample's files. */
export const readme = (seed: number) => `# The sample of images

A small vision transformer and everything needed to prune, heal and score it. No image was taken from anywhere: each
is drawn by \`scripts/make-vision-sample\` from seed ${seed}, and \`npm run make-vision-sample\` makes all files again, the
same images to the last pixel; the model's training may round differently on another machine.

- \`model/\`: the checkpoint in Hugging Face's form (\`ViTForImageClassification\`).
  \`scripts/make-vision-sample/recipe.ts\` says how large it is and how it was trained.
- \`train/\`: ${files.train} images of each of ${shapes.length} classes, to heal a pruned model with. The model has seen none of them.
- \`test/\`: ${files.test} images of each class, to score it on.

The classes are pairs that are easily taken for one another: ${pairs()}.
Figures differ in place, size, colour, stretch and turn; backgrounds fade, specks lie about, and all is under noise.
`

const pairs = () =>
  shapes
    .flatMap(({ name }, i) => (i % 2 === 0 ? [`${name} and ${shapes[i + 1]!.name}`] : []))
    .join(', ')
    // Lines of the note are no longer than others here.
    .replace(/(?:[^,]*,){4}/g, (line) => `${line}\n`)
    .replaceAll('\n ', '\n')
