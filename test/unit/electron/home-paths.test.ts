import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { withHome } from '../../../electron/services/home-paths.ts'

test('~ at the start of a place is the home folder, and nothing else is changed', () => {
  const home = join('/home', 'me')
  assert.deepEqual(withHome({ path: '~/models/a', to: '~', name: '~/x' }, home), {
    path: join(home, 'models', 'a'),
    to: home,
    name: '~/x',
  })
  for (const same of [{ path: '/a/~/b' }, { path: '~other/b' }, { path: 3 }, null, undefined, ['~'], 'text'])
    assert.deepEqual(withHome(same, home), same)
})
