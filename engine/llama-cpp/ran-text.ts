import type { Ran } from '../contract/index.ts'

/** What runs a model, and why not the other, in a line for a person. */
export function ranText({ name, type, device, threads, why, passed, proof, runner }: Ran): string {
  const how = threads === null ? device : `${device}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`
  const apart = proof
    ? `; log-likelihoods differ from Secateur's by ${proof.mean.toPrecision(2)} on average, ${proof.worst.toPrecision(2)} at most`
    : ''
  const other = why === null ? '' : `. Not ${runner === 'secateur' ? 'llama.cpp' : 'Secateur'}: ${why}`
  const builds = passed === undefined ? '' : `. llama.cpp not on ${passed.join('; not on ')}`
  return `Runs on ${name} (${type}, ${how})${apart}${other}${builds}`
}
