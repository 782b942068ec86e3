/** The flag of a setting without its dashes: `learningRate` as `learning-rate`. */
export const flagName = (setting: string): string => setting.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
