import type { CheckpointSummary } from '../../../../electron/contract/index.ts'
import { absenceOf, isHere } from '../../checkpoint-status.ts'
import { bytes, parameters } from '../../format.ts'
import { checkpointKindName, familyName } from '../../names.ts'

interface CheckpointOption {
  readonly value: string
  readonly label: string
  readonly detail: string
  readonly disabled: boolean
}

/**
 * Checkpoints of the library to choose from, by their path, with the chosen one even where the library has not got it.
 *
 * @param of whether adapters are wanted, or whole checkpoints
 */
export function checkpointOptions(
  library: readonly CheckpointSummary[],
  of: 'checkpoints' | 'adapters',
  chosen: string,
): CheckpointOption[] {
  const known = library
    .filter(({ kind, format }) => format !== 'onnx' && (kind === 'adapter') === (of === 'adapters'))
    .map(optionOf)
  return chosen === '' || known.some(({ value }) => value === chosen)
    ? known
    : [...known, { value: chosen, label: chosen, detail: 'not in the library', disabled: false }]
}

const optionOf = (checkpoint: CheckpointSummary): CheckpointOption => ({
  value: checkpoint.path,
  label: checkpoint.name,
  detail: [
    checkpointKindName(checkpoint.kind),
    familyName(checkpoint.family),
    `${parameters(checkpoint.parameters)} parameters`,
    bytes(checkpoint.bytes),
    absenceOf(checkpoint),
  ]
    .filter((part) => part !== null)
    .join(' · '),
  disabled: !isHere(checkpoint),
})
