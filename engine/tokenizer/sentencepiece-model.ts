import protobuf from 'protobufjs'
import { z } from 'zod'
import { badFile, SecateurError } from '../shared/errors.ts'
import { contentHint } from '../shared/file-content.ts'

/** The part of sentencepiece_model.proto (google/sentencepiece, Apache-2.0) that decides ids; numbers and defaults are its. */
const modelType = protobuf
  .parse(
    `syntax = "proto2";
    message Piece {
      optional string piece = 1;
      optional float score = 2;
      optional int32 type = 3 [default = 1];
    }
    message Trainer {
      optional int32 model_type = 3 [default = 1];
      optional bool treat_whitespace_as_suffix = 24;
      optional bool byte_fallback = 35;
      optional int32 unk_id = 40 [default = 0];
      optional int32 bos_id = 41 [default = 1];
      optional int32 eos_id = 42 [default = 2];
      optional int32 pad_id = 43 [default = -1];
    }
    message Normalizer {
      optional string name = 1;
      optional bytes precompiled_charsmap = 2;
      optional bool add_dummy_prefix = 3 [default = true];
      optional bool remove_extra_whitespaces = 4 [default = true];
      optional bool escape_whitespaces = 5 [default = true];
    }
    message Model {
      repeated Piece pieces = 1;
      optional Trainer trainer_spec = 2;
      optional Normalizer normalizer_spec = 3;
    }`,
    { keepCase: true },
  )
  .root.lookupType('Model')

const pieceTypes = { 1: 'normal', 2: 'unknown', 3: 'control', 4: 'user-defined', 5: 'unused', 6: 'byte' } as const
const modelTypes = ['unigram', 'byte-pair encoding', 'word', 'character']
const bytePairEncoding = 2

/** Splits of a piece are tried at every character, so a hostile one must not be long. SentencePiece's own default is 16. */
const longestPiece = 512

const modelSchema = z.object({
  pieces: z
    .array(
      z.object({
        piece: z.string().min(1),
        score: z.number(),
        type: z.literal([1, 2, 3, 4, 5, 6]).transform((type) => pieceTypes[type]),
      }),
    )
    .min(1),
  trainer_spec: z.object({
    model_type: z.number(),
    treat_whitespace_as_suffix: z.boolean(),
    byte_fallback: z.boolean(),
    unk_id: z.number(),
    bos_id: z.number(),
    eos_id: z.number(),
    pad_id: z.number(),
  }),
  normalizer_spec: z.object({
    name: z.string(),
    precompiled_charsmap: z.instanceof(Uint8Array),
    add_dummy_prefix: z.boolean(),
    remove_extra_whitespaces: z.boolean(),
    escape_whitespaces: z.boolean(),
  }),
})

/** A SentencePiece model; the index of a piece is its id, and an id of -1 means that there is none. */
export type SentencePieceModel = z.infer<typeof modelSchema>
export type Piece = SentencePieceModel['pieces'][number]

/**
 * Parses the bytes of a `tokenizer.model`. Errors: `bad-file` that names the field for a file that is broken or
 * contradicts itself, `unsupported` for a model that is not byte-pair encoding or segments in a way we do not follow.
 */
export function parseSentencePiece(file: string, bytes: Uint8Array): SentencePieceModel {
  let message: unknown
  try {
    message = modelType.toObject(modelType.decode(bytes), { defaults: true, bytes: Uint8Array })
  } catch (cause) {
    throw badFile(file, undefined, otherKind(bytes) ?? 'is not a SentencePiece model, or is cut off', cause)
  }
  const parsed = modelSchema.safeParse(message)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    throw badFile(
      file,
      issue?.path.join('.'),
      otherKind(bytes) ?? `is not a SentencePiece model: ${issue?.message}`,
      parsed.error,
    )
  }
  checkSupported(file, parsed.data)
  checkPieces(file, parsed.data.pieces)
  checkIds(file, parsed.data)
  return parsed.data
}

/** What a file called tokenizer.model is besides; null where that is not known. */
function otherKind(bytes: Uint8Array): string | null {
  const firstLine = Buffer.from(bytes.subarray(0, 200)).toString('latin1').split('\n')[0]!
  if (/^[A-Za-z0-9+/]+={0,2} \d+\r?$/.test(firstLine))
    return 'is a tiktoken file, not a SentencePiece model: take tokenizer.json of the same model in the layout of transformers'
  return contentHint(bytes)
}

function checkSupported(
  file: string,
  { trainer_spec: trainer, normalizer_spec: normalizer, pieces }: SentencePieceModel,
) {
  const refuse = (field: string, message: string) => new SecateurError('unsupported', message, { file, field })
  if (trainer.model_type !== bytePairEncoding) {
    const found = modelTypes[trainer.model_type - 1] ?? `number ${trainer.model_type}`
    throw refuse('trainer_spec.model_type', `is ${found}; Llama-family tokenizers are byte-pair encoding`)
  }
  if (trainer.treat_whitespace_as_suffix) {
    throw refuse('trainer_spec.treat_whitespace_as_suffix', 'is set; only blanks in front of words are supported')
  }
  if (normalizer.precompiled_charsmap.length > 0 && normalizer.name !== 'nmt_nfkc') {
    throw refuse('normalizer_spec.name', `is '${normalizer.name}'; only 'identity' and 'nmt_nfkc' are supported`)
  }
  const unused = pieces.findIndex(({ type }) => type === 'unused')
  if (unused >= 0) throw refuse(`pieces.${unused}`, 'is marked as unused; vocabularies cut down so are not supported')
}

/**
 * @param place of the pieces in the file, for messages
 * @throws SecateurError for a piece that is there twice, a byte that is none, a score that is no number, and a piece that is too long
 */
export function checkPieces(file: string, pieces: readonly Piece[], place = 'pieces'): void {
  const seen = new Set<string>()
  for (const [id, { piece, type, score }] of pieces.entries()) {
    const field = `${place}.${id}`
    if (seen.has(piece)) throw badFile(file, field, `repeats the piece '${piece.slice(0, 40)}'`)
    seen.add(piece)
    if (type === 'byte' && !/^<0x[0-9A-F]{2}>$/.test(piece)) {
      throw badFile(file, field, `is marked as a byte but reads '${piece.slice(0, 40)}'`)
    }
    if (!Number.isFinite(score)) throw badFile(file, field, 'has a score that is not a finite number')
    if (piece.length > longestPiece) {
      throw badFile(file, field, `is ${piece.length} characters long; at most ${longestPiece} are accepted`)
    }
  }
}

function checkIds(file: string, { pieces, trainer_spec }: SentencePieceModel) {
  for (const name of ['unk_id', 'bos_id', 'eos_id', 'pad_id'] as const) {
    const id = trainer_spec[name]
    if (id >= pieces.length) {
      throw badFile(file, `trainer_spec.${name}`, `is ${id}, but the model has ${pieces.length} pieces`)
    }
  }
}
