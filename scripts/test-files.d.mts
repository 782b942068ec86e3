export function chooseTests(
  words: readonly string[],
  options?: { unit?: boolean; long?: boolean },
): { flags: string[]; tests: string[]; specs: string[] }
export function longestFirst(files: readonly string[]): string[]
export function describeResults(folder: string, failed: boolean): string
