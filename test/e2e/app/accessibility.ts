import { AxeBuilder } from '@axe-core/playwright'
import type { Page } from '@playwright/test'
import type { AppOptions } from './fixtures.ts'

const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
const ofSizes = ['target-size']
const modal = '[role="dialog"]'
/** What a theme changes: a page whose other rules hold in the light theme keeps them in the dark one. */
const ofColours = ['color-contrast', 'link-in-text-block']

/**
 * Serious and critical faults that axe finds on the page as it stands.
 *
 * @param rules all of them, or those of colours where the page was looked at in another theme before
 */
export async function seriousFaults(
  page: Page,
  shell: AppOptions['shell'],
  rules: 'all' | 'colours' = 'all',
): Promise<string[]> {
  const axe = () => {
    const builder = new AxeBuilder({ page }).setLegacyMode(shell === 'electron')
    // What passes is counted, not described.
    return builder.options({ resultTypes: ['violations'] })
  }
  const { violations } = await (
    rules === 'colours' ? axe().withRules(ofColours) : axe().withTags(tags).disableRules(ofSizes)
  ).analyze()
  if (rules === 'all') {
    // Nothing behind a modal dialog can be pressed, but axe takes what lies over it for a neighbour that is too near.
    const isModal = (await page.locator(modal).count()) > 0
    const sized = isModal ? axe().include(modal) : axe()
    violations.push(...(await sized.withRules(ofSizes).analyze()).violations)
  }
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) =>
      nodes.slice(0, 3).map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)}: ${failureSummary}`),
    )
}

/** What lies in no part of the page, as menus that are open may. */
export async function faultsOfParts(page: Page, shell: AppOptions['shell']): Promise<string[]> {
  const axe = new AxeBuilder({ page }).setLegacyMode(shell === 'electron').withRules('region')
  const { violations } = await axe.analyze()
  return violations.flatMap(({ nodes }) => nodes.map(({ html }) => html.slice(0, 200)))
}

/** What `seriousFaults` finds in both themes. */
export async function faultsInBothThemes(page: Page, shell: AppOptions['shell']): Promise<string[]> {
  const found: string[] = []
  for (const [colorScheme, rules] of [
    ['light', 'all'],
    ['dark', 'colours'],
  ] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    found.push(...(await seriousFaults(page, shell, rules)))
  }
  return found
}
