import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { z } from 'zod'

/** The window's position and size, kept between two starts. */

const rectangle = { x: z.int(), y: z.int(), width: z.int().min(1), height: z.int().min(1) }
const stateSchema = z.object({ ...rectangle, maximised: z.boolean() })
export type WindowState = z.infer<typeof stateSchema>
export interface Rectangle {
  x: number
  y: number
  width: number
  height: number
}

export const smallest = { width: 880, height: 600 }
const usual = { width: 1280, height: 860 }
/** So much of a window must be on a display that it can be found and dragged. */
const visible = { width: 200, height: 60 }

/** The window's place as it was, brought back onto the displays that there are now; in the middle of the first otherwise. */
export function placeWindow(saved: WindowState | null, workAreas: readonly Rectangle[]): WindowState {
  const home = workAreas[0] ?? { x: 0, y: 0, ...usual }
  const on = saved && workAreas.find((area) => isFoundOn(saved, area))
  if (!saved || !on) {
    const width = Math.min(saved?.width ?? usual.width, home.width)
    const height = Math.min(saved?.height ?? usual.height, home.height)
    const x = home.x + Math.round((home.width - width) / 2)
    const y = home.y + Math.round((home.height - height) / 2)
    return { x, y, width, height, maximised: saved?.maximised ?? false }
  }
  const width = Math.min(Math.max(saved.width, smallest.width), on.width)
  const height = Math.min(Math.max(saved.height, smallest.height), on.height)
  // The title bar must not be above the display.
  return { ...saved, width, height, y: Math.max(saved.y, on.y) }
}

function isFoundOn(window: Rectangle, area: Rectangle): boolean {
  const width = Math.min(window.x + window.width, area.x + area.width) - Math.max(window.x, area.x)
  const height = Math.min(window.y + window.height, area.y + area.height) - Math.max(window.y, area.y)
  return width >= visible.width && height >= visible.height
}

/** Null where it was never saved or cannot be read. */
export function readWindowState(file: string): WindowState | null {
  try {
    return stateSchema.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch {
    return null
  }
}

export function writeWindowState(file: string, state: WindowState): void {
  writeFileSync(`${file}.partial`, JSON.stringify(state))
  renameSync(`${file}.partial`, file)
}
