/** How busy the computer was while a run went on: four floats of 32 bits a row, NaN where nothing says. */
export const systemLoad = /* sql */ `
CREATE TABLE system_load (
  run_id INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  time INTEGER NOT NULL,
  load BLOB NOT NULL,
  PRIMARY KEY (run_id, time)
) STRICT, WITHOUT ROWID;
`
