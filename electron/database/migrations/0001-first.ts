/** Checkpoints with lineage, datasets, runs with their curves, snapshots, samples, scores and log, and settings. */
export const first = /* sql */ `
CREATE TABLE settings (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoints (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  path TEXT NOT NULL,
  storage TEXT NOT NULL,
  kind TEXT NOT NULL,
  family TEXT NOT NULL,
  parameters INTEGER NOT NULL,
  dtype TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  tokenizer TEXT,
  status TEXT NOT NULL DEFAULT 'present',
  run_id INTEGER REFERENCES runs (id) ON DELETE SET NULL,
  notes TEXT NOT NULL DEFAULT '',
  favourite INTEGER NOT NULL DEFAULT 0,
  added INTEGER NOT NULL,
  content_hash TEXT,
  inspection TEXT NOT NULL,
  removed INTEGER
) STRICT;
CREATE UNIQUE INDEX checkpoint_paths ON checkpoints (path);
CREATE INDEX checkpoint_hashes ON checkpoints (content_hash);
CREATE INDEX checkpoint_runs ON checkpoints (run_id);

CREATE TABLE checkpoint_parents (
  checkpoint_id INTEGER NOT NULL REFERENCES checkpoints (id) ON DELETE CASCADE,
  parent_id INTEGER NOT NULL REFERENCES checkpoints (id) ON DELETE CASCADE,
  PRIMARY KEY (checkpoint_id, parent_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX checkpoint_children ON checkpoint_parents (parent_id);

CREATE TABLE checkpoint_tags (
  checkpoint_id INTEGER NOT NULL REFERENCES checkpoints (id) ON DELETE CASCADE,
  tag TEXT NOT NULL,
  PRIMARY KEY (checkpoint_id, tag)
) STRICT, WITHOUT ROWID;

CREATE TABLE datasets (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  path TEXT NOT NULL,
  format TEXT NOT NULL,
  kind TEXT NOT NULL,
  detected_kind TEXT NOT NULL,
  task TEXT,
  fields TEXT NOT NULL,
  field TEXT,
  rows INTEGER,
  bytes INTEGER NOT NULL,
  modified REAL NOT NULL,
  status TEXT NOT NULL DEFAULT 'present',
  notes TEXT NOT NULL DEFAULT '',
  added INTEGER NOT NULL,
  removed INTEGER
) STRICT;
CREATE UNIQUE INDEX dataset_paths ON datasets (path);

CREATE TABLE dataset_tags (
  dataset_id INTEGER NOT NULL REFERENCES datasets (id) ON DELETE CASCADE,
  tag TEXT NOT NULL,
  PRIMARY KEY (dataset_id, tag)
) STRICT, WITHOUT ROWID;

CREATE TABLE runs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  state TEXT NOT NULL,
  reason TEXT,
  folder TEXT NOT NULL,
  device TEXT,
  checkpoint_id INTEGER REFERENCES checkpoints (id) ON DELETE SET NULL,
  checkpoint_name TEXT NOT NULL,
  output_id INTEGER REFERENCES checkpoints (id) ON DELETE SET NULL,
  parent_id INTEGER REFERENCES runs (id) ON DELETE SET NULL,
  created INTEGER NOT NULL,
  started INTEGER,
  finished INTEGER,
  last_saved_step INTEGER,
  progress TEXT,
  archived INTEGER NOT NULL DEFAULT 0,
  notes TEXT NOT NULL DEFAULT '',
  job TEXT NOT NULL,
  estimate TEXT,
  software TEXT NOT NULL DEFAULT '{}',
  hardware TEXT NOT NULL DEFAULT '{}',
  result TEXT,
  queue_position REAL,
  pid INTEGER,
  pid_started TEXT,
  removed INTEGER
) STRICT;
CREATE UNIQUE INDEX run_folders ON runs (folder);
CREATE INDEX run_states ON runs (state);
CREATE INDEX run_created ON runs (created);
CREATE INDEX run_checkpoints ON runs (checkpoint_id);

CREATE TABLE run_tags (
  run_id INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  tag TEXT NOT NULL,
  PRIMARY KEY (run_id, tag)
) STRICT, WITHOUT ROWID;
CREATE INDEX run_tag_names ON run_tags (tag);

-- Settings and results of runs by name, so that the history sorts by any of them.
CREATE TABLE value_names (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE run_values (
  run_id INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  name_id INTEGER NOT NULL REFERENCES value_names (id),
  value ANY,
  PRIMARY KEY (run_id, name_id)
) STRICT, WITHOUT ROWID;

-- Level 0 holds a row a step, level n a row for 4^n neighbouring steps; see metrics.ts.
CREATE TABLE metrics (
  run_id INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  level INTEGER NOT NULL,
  bucket INTEGER NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY (run_id, level, bucket)
) STRICT, WITHOUT ROWID;

-- Importance and what is kept, deflated JSON.
CREATE TABLE snapshots (
  run_id INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  step INTEGER NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY (run_id, step)
) STRICT, WITHOUT ROWID;

CREATE TABLE samples (
  run_id INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  step INTEGER NOT NULL,
  prompt TEXT NOT NULL,
  text TEXT NOT NULL,
  PRIMARY KEY (run_id, step, prompt)
) STRICT, WITHOUT ROWID;

CREATE TABLE run_log (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  run_id INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  time INTEGER NOT NULL,
  level TEXT NOT NULL,
  message TEXT NOT NULL
) STRICT;
CREATE INDEX run_log_runs ON run_log (run_id, id);

-- Scores with standard errors that a run took of its result, or of the dense checkpoint.
CREATE TABLE evaluations (
  run_id INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  subject TEXT NOT NULL,
  checkpoint_id INTEGER REFERENCES checkpoints (id) ON DELETE SET NULL,
  finished INTEGER NOT NULL,
  scores TEXT NOT NULL,
  PRIMARY KEY (run_id, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX evaluation_checkpoints ON evaluations (checkpoint_id);

CREATE VIRTUAL TABLE run_search USING fts5 (
  name, notes, tags, settings,
  tokenize = 'unicode61 remove_diacritics 2',
  prefix = '2 3'
);
`
