/**
 * Numbers of the GGUF container and of ggml's tensor types, as llama.cpp defines them (ggml.h, gguf.h; MIT). A tensor's
 * weights are stored in blocks along its rows: every row is a whole number of blocks.
 */

/** The first four bytes of a file. */
export const ggufMagic = 'GGUF'
/** The version that is written. */
export const ggufVersion = 3
/** Versions that are read: 2 and 3 differ in nothing but that 3 may be big-endian. */
export const readVersions: readonly number[] = [2, 3]
/** Offsets of tensors, from where the data starts, and that start itself are multiples of this, unless a key says another. */
export const defaultAlignment = 32
export const alignmentKey = 'general.alignment'
/** Most dimensions of a tensor. */
export const maxDimensions = 4

/** Types of a key's value, by the number that the file has for each. */
export const valueTypes = {
  uint8: 0,
  int8: 1,
  uint16: 2,
  int16: 3,
  uint32: 4,
  int32: 5,
  float32: 6,
  bool: 7,
  string: 8,
  array: 9,
  uint64: 10,
  int64: 11,
  float64: 12,
} as const
export type ValueType = keyof typeof valueTypes

/** How a tensor's numbers are stored. */
export interface TensorType {
  /** Its number in the file. */
  id: number
  /** Weights of a block; a row is a multiple of it. */
  weights: number
  /** Bytes of a block. */
  bytes: number
  /** Whether its numbers are read as weights, see `dequantise`; any other is refused by name. */
  read: boolean
}

const type = (id: number, weights: number, bytes: number, read = true): TensorType => ({ id, weights, bytes, read })
const unread = (id: number, weights: number, bytes: number) => type(id, weights, bytes, false)

/** Every type that ggml has or had a number for, by the name that its tools print. */
export const tensorTypes = {
  F32: type(0, 1, 4),
  F16: type(1, 1, 2),
  Q4_0: type(2, 32, 18),
  Q4_1: type(3, 32, 20),
  Q5_0: type(6, 32, 22),
  Q5_1: type(7, 32, 24),
  Q8_0: type(8, 32, 34),
  Q8_1: unread(9, 32, 40),
  Q2_K: type(10, 256, 84),
  Q3_K: type(11, 256, 110),
  Q4_K: type(12, 256, 144),
  Q5_K: type(13, 256, 176),
  Q6_K: type(14, 256, 210),
  Q8_K: unread(15, 256, 292),
  IQ2_XXS: unread(16, 256, 66),
  IQ2_XS: unread(17, 256, 74),
  IQ3_XXS: unread(18, 256, 98),
  IQ1_S: unread(19, 256, 50),
  IQ4_NL: type(20, 32, 18),
  IQ3_S: unread(21, 256, 110),
  IQ2_S: unread(22, 256, 82),
  IQ4_XS: type(23, 256, 136),
  I8: unread(24, 1, 1),
  I16: unread(25, 1, 2),
  I32: unread(26, 1, 4),
  I64: unread(27, 1, 8),
  F64: unread(28, 1, 8),
  IQ1_M: unread(29, 256, 56),
  BF16: type(30, 1, 2),
  TQ1_0: unread(34, 256, 54),
  TQ2_0: unread(35, 256, 66),
  MXFP4: unread(39, 32, 17),
  NVFP4: unread(40, 64, 36),
  Q1_0: unread(41, 128, 18),
} as const satisfies Record<string, TensorType>
export type TensorTypeName = keyof typeof tensorTypes

const nameOf = new Map<number, TensorTypeName>(
  (Object.keys(tensorTypes) as TensorTypeName[]).map((name) => [tensorTypes[name].id, name]),
)

/** The name of a tensor type by its number; undefined for numbers that ggml has given up or never had. */
export const tensorTypeNamed = (id: number): TensorTypeName | undefined => nameOf.get(id)

/** Bits of a type for a weight, scales included. */
export const bitsPerWeight = (name: TensorTypeName): number => (8 * tensorTypes[name].bytes) / tensorTypes[name].weights
