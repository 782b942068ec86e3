/** How fast checkpoints ran on this computer, measurement by measurement: what was measured is JSON. */
export const speeds = /* sql */ `
CREATE TABLE speeds (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  checkpoint_id INTEGER NOT NULL REFERENCES checkpoints (id) ON DELETE CASCADE,
  measured INTEGER NOT NULL,
  report TEXT NOT NULL,
  removed INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX speed_checkpoints ON speeds (checkpoint_id, measured);
`
