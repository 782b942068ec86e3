#!/usr/bin/env node
// The `secateur` command: runs the engine on the pinned Node 24, whatever Node started this.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { root, setUp } from './setup.mjs'

const child = spawn(setUp(), [join(root, 'engine/main.ts'), ...process.argv.slice(2)], { stdio: 'inherit' })
// The child sees a terminal's Ctrl-C itself; other signals are passed on.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => child.kill('SIGTERM'))
child.on('exit', (code, signal) => {
  process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 1)
})
