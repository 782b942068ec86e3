import type { Connection } from './open.ts'
import { PathTable } from './table.ts'
import { TagStore } from './tags.ts'

export interface CheckpointRow {
  id: number
  name: string
  path: string
  storage: 'in-place' | 'copied' | 'run-output'
  kind: 'base' | 'finetuned' | 'pruned' | 'merged' | 'adapter' | 'exported'
  family: string
  parameters: number
  dtype: string
  bytes: number
  tokenizer: string | null
  status: 'present' | 'missing' | 'changed' | 'away'
  run_id: number | null
  notes: string
  favourite: number
  added: number
  content_hash: string | null
  /** What the engine said of the folder, as JSON. */
  inspection: string
  /** Where its drive is mounted; null until that is known. */
  mount: string | null
  /** What fits this computer, as JSON; null until it is known. */
  fits: string | null
  /** When it was taken out of the library. */
  removed: number | null
}

/** Checkpoints and adapters of the library, with where they came from. */
export class CheckpointStore extends PathTable<CheckpointRow> {
  readonly tags: TagStore
  readonly #all
  readonly #mounts
  readonly #sweepOf
  readonly #byHash
  readonly #parents
  readonly #children
  readonly #addParent

  constructor(db: Connection) {
    super(db, 'checkpoints')
    this.tags = new TagStore(db, 'checkpoint')
    this.#all = db.prepare<[], CheckpointRow>(
      'SELECT * FROM checkpoints WHERE removed IS NULL ORDER BY added DESC, id DESC',
    )
    this.#mounts = db.prepare<[], string>(
      'SELECT DISTINCT mount FROM checkpoints WHERE removed IS NULL AND mount IS NOT NULL',
    )
    this.#mounts.pluck()
    this.#sweepOf = db.prepare<[number], { id: number; name: string }>(
      `SELECT s.id, s.name FROM runs r JOIN runs s ON s.id = r.parent_id
       WHERE r.id = ? AND s.kind = 'sweep' AND s.removed IS NULL`,
    )
    this.#byHash = db.prepare<[string], number>(
      'SELECT id FROM checkpoints WHERE content_hash = ? AND removed IS NULL ORDER BY id',
    )
    this.#byHash.pluck()
    this.#parents = db.prepare<[number], number>('SELECT parent_id FROM checkpoint_parents WHERE checkpoint_id = ?')
    this.#parents.pluck()
    this.#children = db.prepare<[number], number>('SELECT checkpoint_id FROM checkpoint_parents WHERE parent_id = ?')
    this.#children.pluck()
    this.#addParent = db.prepare<[number, number]>(
      'INSERT OR IGNORE INTO checkpoint_parents (checkpoint_id, parent_id) VALUES (?, ?)',
    )
  }

  /** Those that are in the library, newest first. */
  all(): CheckpointRow[] {
    return this.#all.all()
  }

  /** Where drives of checkpoints are, or were, mounted. */
  mounts(): string[] {
    return this.#mounts.all()
  }

  /** The sweep that a run belongs to. */
  sweepOf(runId: number): { id: number; name: string } | null {
    return this.#sweepOf.get(runId) ?? null
  }

  withHash(hash: string): number[] {
    return this.#byHash.all(hash)
  }

  parents(id: number): number[] {
    return this.#parents.all(id)
  }

  children(id: number): number[] {
    return this.#children.all(id)
  }

  addParent(id: number, parent: number): void {
    if (id !== parent) this.#addParent.run(id, parent)
  }
}
