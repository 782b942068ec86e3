// npm run install-cuda: fetches TensorFlow's C library for CUDA, which the set-up leaves out because few machines can use it.
// It runs the package's own install script, with this very Node, and says what came of it.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { root } from './setup.mjs'

const folder = join(root, 'node_modules/@tensorflow/tfjs-node-gpu')
if (!existsSync(folder)) {
  console.error('secateur: the optional package @tensorflow/tfjs-node-gpu is not installed on this platform')
  process.exit(1)
}
const path = [dirname(process.execPath), join(root, 'node_modules/.bin'), process.env.PATH].join(delimiter)
const { status } = spawnSync(process.execPath, ['scripts/install.js', 'gpu', 'download'], {
  cwd: folder,
  stdio: 'inherit',
  env: { ...process.env, PATH: path },
})
const addon = join(folder, 'lib/napi-v8/tfjs_binding.node')
if (status !== 0 || !existsSync(addon)) {
  console.error(
    'secateur: the library was not fetched (see above). Its servers have refused downloads since August 2026; ' +
      'TFJS_NODE_CDN_STORAGE names another. The back end webgpu needs none of it.',
  )
  process.exit(1)
}
console.log('secateur: installed; "npx secateur devices" says whether it finds the card')
