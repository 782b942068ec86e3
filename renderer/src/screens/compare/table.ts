/** A comparison as text that other programs take: the same table that the screen shows. */
export interface ComparisonTable {
  /** First the name of what is compared, then the runs. */
  readonly columns: readonly string[]
  readonly sections: readonly { title: string; rows: readonly { label: string; cells: readonly string[] }[] }[]
}

/** RFC 4180. Text that a spreadsheet would take for a formula is led by an apostrophe. */
export function toCsv({ columns, sections }: ComparisonTable): string {
  const lines = [
    ['Section', ...columns],
    ...sections.flatMap(({ title, rows }) => rows.map(({ label, cells }) => [title, label, ...cells])),
  ]
  return lines.map((line) => line.map(csvCell).join(',')).join('\r\n') + '\r\n'
}

function csvCell(text: string): string {
  const safe = /^[=+@\t\r]|^-(?![\d.])/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

/** Tables of GitHub's Markdown, one a section. */
export function toMarkdown({ columns, sections }: ComparisonTable): string {
  return sections
    .map(({ title, rows }) =>
      [
        `## ${title}`,
        '',
        markdownRow(columns),
        `|${columns.map((_, index) => (index === 0 ? ' --- |' : ' ---: |')).join('')}`,
        ...rows.map(({ label, cells }) => markdownRow([label, ...cells])),
        '',
      ].join('\n'),
    )
    .join('\n')
}

const markdownRow = (cells: readonly string[]) =>
  `| ${cells.map((cell) => cell.replaceAll(/[\\|`*_<>[\]]/g, '\\$&').replaceAll(/\s*[\r\n]+\s*/g, ' ')).join(' | ')} |`
