import packageJson from '../../package.json' with { type: 'json' }

/** Secateur's version, as package.json has it. */
export const { version } = packageJson
