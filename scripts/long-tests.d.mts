export const longTests: readonly string[]
