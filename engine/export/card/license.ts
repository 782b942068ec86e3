/** A licence as the Hub names it; `name` and `link` belong to "other". */
export interface License {
  id: string
  name?: string | undefined
  link?: string | undefined
}

/** Texts that licences have near their beginning, and the Hub's names for them; the first that is found counts. */
const known: readonly [text: RegExp, id: string][] = [
  [/apache license\s+version 2\.0/i, 'apache-2.0'],
  [/llama 3\.3 community license/i, 'llama3.3'],
  [/llama 3\.2 community license/i, 'llama3.2'],
  [/llama 3\.1 community license/i, 'llama3.1'],
  [/llama 3 community license/i, 'llama3'],
  [/llama 2 community license/i, 'llama2'],
  [/gemma terms of use/i, 'gemma'],
  [/mit license|permission is hereby granted, free of charge/i, 'mit'],
  [/bsd 3-clause/i, 'bsd-3-clause'],
  [/creative commons attribution-noncommercial-sharealike 4\.0/i, 'cc-by-nc-sa-4.0'],
  [/creative commons attribution-noncommercial 4\.0/i, 'cc-by-nc-4.0'],
  [/creative commons attribution-sharealike 4\.0/i, 'cc-by-sa-4.0'],
  [/creative commons attribution 4\.0/i, 'cc-by-4.0'],
]
/** Characters in which a licence says what it is. */
const beginning = 2000

/** The licence that a text is; a text that nobody knows is a licence of its own, by its first line. */
export function licenseOfText(text: string, file: string): License {
  const start = text.slice(0, beginning).replaceAll(/\s+/g, ' ')
  const found = known.find(([pattern]) => pattern.test(start))
  if (found) return { id: found[1] }
  const title = text.split(/\r?\n/).find((line) => /\p{L}/u.test(line))
  const name = (title ?? file).replaceAll(/[^\p{L}\p{N} .,'()-]/gu, '').trim()
  return { id: 'other', name: name.slice(0, 80), link: file }
}

/** As a person reads it. */
export const licenseText = ({ id, name }: License): string => (id === 'other' && name ? `"${name}"` : id)
