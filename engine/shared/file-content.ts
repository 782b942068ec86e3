const startsOf: readonly { start: string; is: string }[] = [
  {
    start: 'version https://git-lfs.github.com/spec/',
    is: 'is a Git LFS pointer, not the file itself: run "git lfs pull" in its folder, or download the file',
  },
  { start: 'GGUF', is: 'is a GGUF file: give it as the checkpoint itself, by a name that ends in .gguf' },
  {
    start: 'PK\u0003\u0004',
    is: 'is an archive, such as those that PyTorch saves, which can run code and are not read: take the file in safetensors',
  },
  { start: '\u0080\u0002', is: 'is a pickle, which can run code and is not read: take the file in safetensors' },
  ...['<!', '<html', '<HTML', '<?xml'].map((start) => ({
    start,
    is: 'is a web page: its download failed. Is a licence to be accepted, or a login needed?',
  })),
]

/** Bytes from the start of a file that `contentHint` looks at. */
export const hintBytes = 64

/** What a file really is that is not of the kind that its name promises, and what to do; null where that is not known. */
export function contentHint(start: Uint8Array | string): string | null {
  const text = (typeof start === 'string' ? start : Buffer.from(start).toString('latin1'))
    .slice(0, hintBytes)
    .trimStart()
  return startsOf.find((kind) => text.startsWith(kind.start))?.is ?? null
}
