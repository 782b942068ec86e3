/** One document, or one question with its answer, as token ids. */
export interface EncodedExample {
  ids: Int32Array
  /** Same length as ids: 1 where the token is to be learnt, that is, where it is a target; 0 where it is only read. */
  trained: Uint8Array
}
