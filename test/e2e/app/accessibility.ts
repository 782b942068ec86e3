import { AxeBuilder } from '@axe-core/playwright'
import type { Page } from '@playwright/test'
import type { AppOptions } from './fixtures.ts'

/** Serious and critical faults that axe finds on the page as it stands. */
export async function seriousFaults(page: Page, shell: AppOptions['shell']): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page })
    .setLegacyMode(shell === 'electron')
    // What passes is counted, not described.
    .options({ resultTypes: ['violations'] })
    .withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'])
    .analyze()
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) =>
      nodes.slice(0, 3).map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)}: ${failureSummary}`),
    )
}
