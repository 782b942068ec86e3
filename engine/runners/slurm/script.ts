import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { badSetting } from '../../shared/errors.ts'
import { parseAs, parseJson } from '../../shared/files.ts'
import { shellQuoted } from '../../shared/shell-quote.ts'

/** Exit codes of the script itself; what else ends it is a code of the command line, or of the shell. */
export const scriptCodes = { notSentAgain: 75, noProgress: 76, noSetup: 77 } as const

const application = join(import.meta.dirname, '../../..')
const environmentFile = 'resources/engine-environment.json'
const variables = z.record(z.string().regex(/^\w+$/), z.string())

export interface ScriptFacts {
  /** Folder of the whole. */
  folder: string
  /** Names of the array's tasks, in the order of their numbers. */
  names: readonly string[]
  /** Folders of their runs. */
  folders: readonly string[]
  setup: string | undefined
  /** Secateur's folder as the nodes see it; undefined for this one. */
  secateur: string | undefined
}

/** The batch script of an array of runs. */
export function batchScript({ folder, names, folders, setup, secateur }: ScriptFacts): string {
  const { node, app } = programs(secateur)
  return `#!/bin/bash
# Runs of a sweep of Secateur, or parts of an evaluation, one for each task of an array of Slurm. Written by \`--on slurm\`.
whole=${shellQuoted(folder)}
names=(${names.map(shellQuoted).join(' ')})
folders=(${folders.map(shellQuoted).join(' ')})
name=\${names[$SLURM_ARRAY_TASK_ID]}
folder=\${folders[$SLURM_ARRAY_TASK_ID]}
task=\${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID

# A setup file may set these: what comes before the command (of a container, say), Node, and Secateur's folder.
launch=()
SECATEUR_NODE=${shellQuoted(node)}
SECATEUR_APP=${shellQuoted(app)}
${allocatorVariables(app)}
${setup === undefined ? '' : setupLines(setup)}
echo "secateur: $name is task $task on $(hostname), start $((\${SLURM_RESTART_COUNT:-0} + 1)), $(date '+%F %T')"

# What a run has done: a step is a line of metrics.jsonl, a row that the dense model wrote one of self-data.jsonl, scores are
# kept task by task.
progress() { cat "$folder/metrics.jsonl" "$folder/self-data.jsonl" "$folder/scores.json" 2>/dev/null | wc -c; }
before=$(progress)

child=
asked=
told=
ask() {
  asked=\${asked:-$1}
  echo "secateur: $1 came for $name at $(date '+%F %T'): it saves its state and ends"
  # SIGTERM whatever came: a Node that has only just started takes SIGUSR1 for the call of a debugger.
  [ -z "$child" ] || { told=yes; kill -s TERM "$child" 2>/dev/null; }
}
for signal in USR1 TERM INT HUP; do trap "ask $signal" $signal; done

"\${launch[@]}" "$SECATEUR_NODE" "$SECATEUR_APP/engine/entries/main.ts" sweep-task "$whole" "$name" &
child=$!
# A signal may come as the child starts, before it is known here.
[ -z "$asked" ] || [ -n "$told" ] || kill -s TERM "$child" 2>/dev/null
code=0
# A signal ends the waiting, not the child.
while kill -0 "$child" 2>/dev/null; do
  wait "$child"
  code=$?
done
wait "$child" 2>/dev/null
last=$?
[ "$last" = 127 ] || code=$last

# Before its time is over a run is sent again, as often as it gets on; other signals come from a scheduler that does so itself.
if [ "$asked" = USR1 ] && { [ "$code" = 130 ] || [ "$code" = 143 ]; }; then
  if [ "$(progress)" = "$before" ]; then
    echo "secateur: $name did no step within its time limit: give it more time"
    exit ${scriptCodes.noProgress}
  fi
  scontrol requeue "$task" || exit ${scriptCodes.notSentAgain}
fi
exit "$code"
`
}

/** @throws SecateurError where this copy of Secateur, which a package has brought, is none that nodes could start */
function programs(secateur: string | undefined): { node: string; app: string } {
  if (secateur !== undefined) return { node: join(secateur, 'node_modules/.bin/node'), app: secateur }
  if (existsSync(join(application, 'engine/entries/main.ts'))) return { node: process.execPath, app: application }
  throw badSetting(
    'cluster.secateur',
    "name a folder of Secateur on the shared storage: this app's own files are no use to a node (docs/clusters.md)",
  )
}

const setupLines = (setup: string) => `if ! source ${shellQuoted(setup)}; then
  echo "secateur: the setup file ${setup.replaceAll(/["$`\\]/g, '?')} failed"
  exit ${scriptCodes.noSetup}
fi
`

/** How glibc and V8 keep memory (docs/performance.md), unless the environment says otherwise. */
function allocatorVariables(app: string): string {
  const file = [app, application].map((folder) => join(folder, environmentFile)).find((path) => existsSync(path))
  if (file === undefined) return ''
  const given = parseAs(variables, parseJson(readFileSync(file, 'utf8'), file), file)
  return Object.entries(given)
    .map(([name, value]) => `export ${name}="\${${name}-${value}}"`)
    .join('\n')
}
