import type { Stats } from 'node:fs'

/**
 * What changes with a file on this computer: its size, when it was written and when it was changed in any way, and its number.
 * A file at the same path with the same stamp holds what it held.
 */
export const fileStamp = ({ size, mtimeMs, ctimeMs, ino }: Stats): readonly number[] => [size, mtimeMs, ctimeMs, ino]
