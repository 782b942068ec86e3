import type { FullConfig, FullResult, Reporter, Suite, TestCase, TestResult } from '@playwright/test/reporter'
import { readFileSync, writeFileSync } from 'node:fs'

/** Of a page that a test failed on, so much is shown. */
const mostLines = 150

/** One line a test, the whole error of one that failed, and why tests were skipped, which the built-in reporters hide. */
export default class PlainReporter implements Reporter {
  #suite: Suite | undefined
  readonly #skipped = new Map<string, number>()
  readonly #seconds = new Map<string, number>()

  onBegin(_config: FullConfig, suite: Suite): void {
    this.#suite = suite
  }

  onTestEnd(test: TestCase, result: TestResult): void {
    if (result.status === 'skipped') {
      const reason =
        test.annotations.find(({ type }) => type === 'skip' || type === 'fixme')?.description ??
        'a test that they build on failed'
      this.#skipped.set(reason, (this.#skipped.get(reason) ?? 0) + 1)
      return
    }
    const { file } = test.location
    this.#seconds.set(file, (this.#seconds.get(file) ?? 0) + result.duration / 1000)
    const [, project, , ...title] = test.titlePath()
    const passed = result.status === test.expectedStatus
    console.log(`${passed ? '✔' : '✖'} ${title.join(' > ')} (${project}, ${(result.duration / 1000).toFixed(1)} s)`)
    if (passed) return
    for (const { stack, message } of result.errors) console.log(`${stack ?? message ?? 'no message'}\n`)
    const seen = pageOf(result)
    if (seen) console.log(`the page:\n${seen}\n`)
  }

  /** What went wrong outside any test. */
  onError({ stack, message }: { stack?: string; message?: string }): void {
    console.log(stack ?? message)
  }

  onEnd({ status }: FullResult): void {
    for (const [reason, count] of this.#skipped) console.log(`skipped ${count}: ${reason}`)
    const outcomes = this.#suite?.allTests().map((test) => test.outcome()) ?? []
    const count = (...wanted: string[]) => outcomes.filter((outcome) => wanted.includes(outcome)).length
    const failed = count('unexpected') || (status === 'passed' ? 0 : 1)
    const totals = { passed: count('expected', 'flaky'), failed, skipped: count('skipped') }
    const results = process.env['SECATEUR_TEST_RESULTS']
    const files = Array.from(this.#seconds, ([file, seconds]) => ({ file, seconds }))
    if (results) writeFileSync(results, JSON.stringify({ ...totals, files }))
    else console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`)
  }
}

/** What the page held when a test failed, as Playwright keeps it: without it, a failure on another machine says little. */
function pageOf({ attachments }: TestResult): string | null {
  const path = attachments.find(({ name }) => name === 'error-context')?.path
  if (!path) return null
  const [, page] = /# Page snapshot\s+```yaml\n([^]*?)```/.exec(readFileSync(path, 'utf8')) ?? []
  return page?.split('\n').slice(0, mostLines).join('\n') ?? null
}
