export interface NumberLimits {
  min: number
  max: number
  whole: boolean
}

/**
 * A typed number: undefined where nothing was typed, or why it cannot be taken. Both a point and a comma separate decimals;
 * spaces and underscores group digits; 1e-4 is read. A comma that may group thousands as well is refused.
 */
export function numberWithin(
  text: string,
  { min, max, whole }: NumberLimits,
): { value: number | undefined } | { problem: string } {
  const plain = text.trim().replaceAll(/[\s_]/g, '')
  if (plain === '') return { value: undefined }
  if (!/^[-+]?(\d+([.,]\d*)?|[.,]\d+)(e[-+]?\d+)?$/i.test(plain)) return { problem: 'This is not a number.' }
  // 1,000 is a thousand to some and one to others.
  if (/^[-+]?[1-9]\d{0,2}(,\d{3})+$/.test(plain))
    return { problem: 'Write it without a comma: it could stand for thousands or for decimals.' }
  const value = Number(plain.replace(',', '.'))
  if (!Number.isFinite(value)) return { problem: 'This number is too large.' }
  if (whole && !Number.isInteger(value)) return { problem: 'A whole number is needed.' }
  if (value < min) return { problem: `The least that can be set is ${min}.` }
  if (value > max) return { problem: `The most that can be set is ${max}.` }
  return { value }
}
