#!/usr/bin/env node
// The `secateur` command: runs the engine on the pinned Node 24, whatever Node started this.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { root, setUp } from './setup.mjs'

// ONNX Runtime allocates and frees the same large blocks at every step. glibc is told to keep them instead of handing
// each back to the system and having every page zeroed again: measured, this is worth a factor of two on small models.
// Blocks of 12 MB and more are handed back all the same: kept, they leave holes that small arrays break, and every next
// one makes the process grow, to several times of what it needs (docs/performance.md).
// V8 is told to look through its youngest objects often: most are views of arrays far larger than they seem to it.
const memory = JSON.parse(readFileSync(join(root, 'resources/engine-environment.json'), 'utf8'))

/** Why a process that did its work ends by a signal. */
const reasons = {
  SIGKILL:
    ': by a person or another program, or by the system because memory ran out (then a smaller batch size or a shorter ' +
    'sequence length needs less). A run goes on from its last saved state with --resume',
  SIGABRT:
    ': it gave up, most likely because it got no more memory (a smaller batch size or a shorter sequence length needs less)',
  SIGSEGV: ': a fault in native code, of the program itself or of the memory of this computer',
  SIGBUS: ': a file that it read was cut short meanwhile, or the disk failed',
  SIGILL: ': this processor lacks instructions that ONNX Runtime was built with',
  SIGTERM: ' before it could save its state',
  SIGHUP: ' before it could save its state',
  SIGINT: ' before it could save its state',
}

const child = spawn(setUp(), [join(root, 'engine/entries/main.ts'), ...process.argv.slice(2)], {
  // By the channel the engine hears when this process is killed, and ends with its state saved.
  stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  env: { ...memory, ...process.env },
})
// The child sees a terminal's Ctrl-C itself; signals that a program sends are passed on.
process.on('SIGINT', () => {
  if (!process.stdin.isTTY) child.kill('SIGINT')
})
process.on('SIGTERM', () => child.kill('SIGTERM'))
// Windows tells both itself when their window is closed, and knows no other way to send it.
process.on('SIGHUP', () => process.platform === 'win32' || child.kill('SIGHUP'))
// The message may have no reader any more: a closed terminal.
process.stderr.on('error', () => {})
child.on('exit', (code, signal) => {
  if (signal) console.error(`secateur: the engine was ended by ${signal}${reasons[signal] ?? ''}.`)
  process.exitCode = code ?? 128 + constants.signals[signal]
})
