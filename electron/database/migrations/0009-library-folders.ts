/**
 * Folders that the user named: to keep checkpoints in, and to be watched for models; what was found in these; moves of
 * checkpoints that are under way, so that one that was cut short is put right; where the drive of a checkpoint is mounted;
 * and what fits this computer.
 */
export const libraryFolders = /* sql */ `
CREATE TABLE library_folders (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  path TEXT NOT NULL,
  use TEXT NOT NULL,
  mount TEXT,
  scanned INTEGER,
  report TEXT,
  UNIQUE (path, use)
) STRICT;

CREATE TABLE found_models (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  folder_id INTEGER NOT NULL REFERENCES library_folders (id) ON DELETE CASCADE,
  path TEXT NOT NULL UNIQUE,
  facts TEXT NOT NULL,
  dismissed INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX found_model_folders ON found_models (folder_id);

CREATE TABLE checkpoint_moves (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  checkpoint_id INTEGER NOT NULL UNIQUE REFERENCES checkpoints (id) ON DELETE CASCADE,
  origin TEXT NOT NULL,
  folder TEXT NOT NULL,
  whole INTEGER NOT NULL,
  target TEXT NOT NULL,
  state TEXT NOT NULL
) STRICT;

ALTER TABLE checkpoints ADD COLUMN mount TEXT;
ALTER TABLE checkpoints ADD COLUMN fits TEXT;
`
