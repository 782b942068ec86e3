export function globSync(folder: string, pattern: RegExp): string[]
