#!/usr/bin/env node
// The `secateur` command: runs the engine on the pinned Node 24, whatever Node started this.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root, setUp } from './setup.mjs'

// ONNX Runtime allocates and frees the same large blocks at every step. glibc is told to keep them instead of handing
// each back to the system and having every page zeroed again: measured, this is worth a factor of two on small models.
// V8 is told to look through its youngest objects often: most are views of arrays far larger than they seem to it.
const memory = JSON.parse(readFileSync(join(root, 'resources/engine-environment.json'), 'utf8'))

const child = spawn(setUp(), [join(root, 'engine/entries/main.ts'), ...process.argv.slice(2)], {
  stdio: 'inherit',
  env: { ...memory, ...process.env },
})
// The child sees a terminal's Ctrl-C itself; signals that a program sends are passed on.
process.on('SIGINT', () => {
  if (!process.stdin.isTTY) child.kill('SIGINT')
})
process.on('SIGTERM', () => child.kill('SIGTERM'))
child.on('exit', (code, signal) => {
  process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 1)
})
