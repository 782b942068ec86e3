/** Questions of the playground with their answers, and prompts that were kept under a name. */
export const playground = /* sql */ `
CREATE TABLE questions (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  asked INTEGER NOT NULL,
  question TEXT NOT NULL
) STRICT;
CREATE TABLE saved_prompts (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  mode TEXT NOT NULL,
  system TEXT NOT NULL,
  text TEXT NOT NULL
) STRICT;
`
