import type { FixtureName } from '../fixtures/read.ts'
import type { Workshop } from './workshop.ts'

/** What a judge found. */
export interface Finding {
  agrees: boolean
  /** Of the programs that judged. */
  versions: Record<string, string>
  /** Its section of docs/compatibility.md: Markdown without the heading. */
  text: string
}

/** What every judge gets. */
export interface Judging {
  /** Fixtures that it shall look at; all that other programs can know, unless some were named. */
  models: readonly FixtureName[]
  /** Files that several judges look at, each made once. */
  workshop: Workshop
  /** Says what happens, with the time since the start. */
  say: (what: string) => void
}

/** A program, or several, that load what Secateur writes. */
export interface Judge {
  /** As `--only` names it. */
  name: string
  /** Heading of its section. */
  title: string
  /** @throws NotHere where what it needs cannot be had. */
  judge: (judging: Judging) => Promise<Finding>
}
