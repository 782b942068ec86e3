import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { withoutConfigHint } from '../checkpoint/folder-hint.ts'
import { openWeightFiles } from '../checkpoint/weight-files.ts'
import { badFile } from '../shared/errors.ts'
import { refuseSpecial } from '../shared/open-file.ts'
import { explained } from '../shared/system-errors.ts'
import { ignoredText, matchTensors, underFamilyNames } from './match-tensors.ts'
import type { OpenedCheckpoint } from './opened-checkpoint.ts'
import { readConfig } from './registry.ts'
import { headDiffers, storedHead, type StoredHead } from './tied-head.ts'

/**
 * Opens a Hugging Face folder: reads and checks its config and the headers of its weights.
 *
 * @throws SecateurError naming the file and the field or tensor; no file stays open after one
 */
export function openFolder(folder: string): OpenedCheckpoint {
  checkFolder(folder)
  const config = readConfig(configIn(folder))
  const { files, tensors: stored } = openWeightFiles(folder)
  try {
    const tensors = underFamilyNames(config, stored)
    const head = storedHead(config, tensors)
    const untied = head !== null && headDiffers(head)
    const used = untied ? { ...config, tiedEmbeddings: false } : config
    const matched = matchTensors(folder, used, tensors)
    return {
      path: folder,
      config: used,
      files,
      places: tensors,
      ...matched,
      sameHead: untied ? null : head,
      quantisation: null,
      warnings: [...(untied ? [untiedText(folder, head)] : []), ...ignoredText(folder, matched.ignored)],
    }
  } catch (error) {
    for (const file of files) file.close()
    throw error
  }
}

function checkFolder(folder: string): void {
  try {
    if (statSync(folder).isDirectory()) return
    refuseSpecial(folder)
    throw badFile(folder, undefined, 'is a file, and no GGUF file; give the folder that holds it')
  } catch (error) {
    throw explained(folder, error)
  }
}

/** @throws SecateurError that says what the folder is instead, where it is no checkpoint. */
function configIn(folder: string): string {
  const file = join(folder, 'config.json')
  const other = existsSync(file) ? null : withoutConfigHint(folder)
  if (other !== null) throw badFile(folder, undefined, other)
  return file
}

const untiedText = (folder: string, { embedding, head }: StoredHead) =>
  `${join(folder, 'config.json')} sets tie_word_embeddings to true, but ${head.entry.name} differs from ` +
  `${embedding.entry.name}: both are used, and both are written, with tie_word_embeddings set to false.`
