/** The first digits of a hash in hexadecimal: as many as tell anything from anything else. */
export const shortHash = (hash: string): string => hash.slice(0, 32)
