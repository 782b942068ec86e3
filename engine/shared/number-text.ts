/** "1,234,567". */
export const numberText = (value: number): string => value.toLocaleString('en-GB')

/** A fraction as "12.3%". */
export const percentText = (fraction: number): string => `${(100 * fraction).toFixed(1)}%`
