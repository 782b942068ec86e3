/** What is not on this machine, and that is nobody's mistake: the judge is skipped, saying so. */
export class NotHere extends Error {}
