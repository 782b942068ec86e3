/** Files by their names within a folder: what a parser reads. */
export type Input = Record<string, Buffer>

/** A parser, and what it is given. */
export interface Target {
  name: string
  /** Valid inputs, which mutations start from. */
  seeds(): Input[] | Promise<Input[]>
  /** Files that stay as they are; the others are changed, one at a time. */
  fixed?: readonly string[]
  /** Reads all that there is to read. What it writes goes to `out`, which is not there yet. */
  read(folder: string, out: string): unknown
  /** Ends what `seeds` or `read` began. */
  close?(): Promise<void>
  /** What an error has to name; by default the file. */
  names?: 'file' | 'field'
  /** Whether it may keep files open, as an app does that begins processes. */
  keepsFiles?: boolean
  /** Milliseconds of a processor that an input may take; default 3000. */
  patience?: number
}
