/**
 * Every how many marks of an axis one has a label, so that each label has room.
 *
 * @param distance between two marks, in pixels
 * @param room that a label needs, in pixels
 */
export const labelEvery = (distance: number, room: number): number =>
  [1, 2, 5, 10, 20, 50].find((step) => step * distance >= room) ?? 100
