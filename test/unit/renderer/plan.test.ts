import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { engine } from '../../../electron/contract/index.ts'
import { emptyDraft } from '../../../renderer/src/screens/new-run/draft.ts'
import { spendBudget } from '../../../renderer/src/screens/new-run/spend-budget.ts'
import {
  budgetAt,
  budgetText,
  denseCells,
  leastShare,
  planCells,
  planRows,
} from '../../../renderer/src/screens/run/plan.ts'

test('a place of the slider is a budget as the command line has it', () => {
  assert.equal(budgetAt('parameters', 0.7), 'parameters=0.7')
  assert.equal(budgetAt('memory', 0.1 + 0.2), 'memory=0.3')
  assert.equal(budgetAt('prompt', 0.8), 'prompt=1.25x')
  const ranges = { parameters: { least: 177, most: 1000 }, memory: { least: 180, most: 1000 } }
  assert.equal(budgetAt('parameters', leastShare({ ranges }, 'parameters')), 'parameters=0.18')
  assert.equal(budgetAt('memory', leastShare({ ranges }, 'memory')), 'memory=0.18')
  // No faster than can be met: 1.4706 times.
  assert.equal(budgetAt('prompt', 0.68), 'prompt=1.47x')
  assert.equal(budgetAt('prompt', 0.655), 'prompt=1.526x')
  const hair = { parameters: { least: 180_000_000_001, most: 1e12 }, memory: { least: 1, most: 10 } }
  assert.equal(budgetAt('parameters', leastShare({ ranges: hair }, 'parameters')), 'parameters=0.185')
  assert.deepEqual(['parameters=0.7', 'memory=0.305', 'prompt=1.25x'].map(budgetText), [
    '70.0% of the parameters',
    '30.5% of the bytes',
    'prompt 1.25× as fast',
  ])
})

test('a plan stands beside the dense model, row by row', () => {
  const dense = { parameters: 1000, bytes: 4000, layers: [], times: { prompt: 30, generation: 6 } }
  const times = { prompt: 20, generation: 4 }
  const plan = { parameters: 600, bytes: 2400, speedUp: 1.5, times, kept: 0.8, loss: null, layers: [null, {}] }
  const cells = planCells(plan as unknown as engine.BudgetPlan, { dense })
  assert.equal(cells.length, planRows.length)
  assert.equal(denseCells({ dense }).length, planRows.length)
  assert.deepEqual(cells.slice(3, 5), ['20 ms (1.50x)', '4 ms (1.50x)'])
  assert.deepEqual(cells.slice(6), ['–', '1'])
  const loss = { rise: 0.12, error: 0.05, isBeyond: true }
  assert.match(planCells({ ...plan, loss } as unknown as engine.BudgetPlan, { dense })[6]!, /^\+0.120 ± 0.050 \*$/)
})

test('a budget in the form takes the place of all that said how much leaves', () => {
  const draft = emptyDraft()
  draft.values = { ratio: '0.3', ranking: 'global', uniform: true, steps: '40' }
  spendBudget(draft, null, true)
  assert.equal(draft.values['ratio'], '0.3')
  spendBudget(draft, 'parameters=0.6', false)
  assert.deepEqual(draft.values, { steps: '40', budget: 'parameters=0.6' })
  const uniform = emptyDraft()
  spendBudget(uniform, 'parameters=0.6', true)
  assert.deepEqual(uniform.values, { budget: 'parameters=0.6', uniform: true })
})
