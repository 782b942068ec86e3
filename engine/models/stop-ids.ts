import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { readJson } from '../shared/files.ts'
import type { Checkpoint } from './checkpoint.ts'

const token = z.int().min(0)
const generationSchema = z.looseObject({
  eos_token_id: z.union([token, z.array(token)], 'must be a token id or a list of token ids').nullish(),
})

/**
 * Token ids at which generation stops: those of generation_config.json where it names any, as in transformers, and
 * otherwise those of config.json. Chat models often end a turn with a token that only the former knows.
 *
 * @throws SecateurError where generation_config.json is damaged.
 */
export function stopIdsOf({ folder, config }: Pick<Checkpoint, 'folder' | 'config'>): readonly number[] {
  const file = join(folder, 'generation_config.json')
  const eos = existsSync(file) ? readJson(file, generationSchema).eos_token_id : undefined
  if (eos === undefined || eos === null) return config.eosIds
  return typeof eos === 'number' ? [eos] : eos
}
