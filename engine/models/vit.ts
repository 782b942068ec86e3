import { encoder } from './encoder.ts'

/** Vision transformers in the layout of Hugging Face (Dosovitskiy et al., arXiv 2010.11929). */
export const vit = encoder({
  name: 'vit',
  architecture: 'ViTForImageClassification',
  headless: ['ViTModel', 'ViTForMaskedImageModeling'],
  refused: {},
  prefixTokens: 1,
})

/** DeiT: a ViT with a distillation token beside the class token (Touvron et al., arXiv 2012.12877). */
export const deit = encoder({
  name: 'deit',
  architecture: 'DeiTForImageClassification',
  headless: ['DeiTModel', 'DeiTForMaskedImageModeling'],
  refused: {
    DeiTForImageClassificationWithTeacher:
      'its logits are the mean of two classifiers, which is not supported; load it in transformers as ' +
      'DeiTForImageClassification, fine-tune that, and save it',
  },
  prefixTokens: 2,
})
