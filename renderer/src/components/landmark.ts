/**
 * Where the menu of a control is put: in the part of the page that the control is in, so that whoever goes from part to part
 * finds it there, and a dialog does not hide it. The page's end is in no part.
 */
export const landmarkOf = (control: HTMLElement | null): HTMLElement =>
  control?.closest<HTMLElement>('[role="dialog"], [role="alertdialog"], main') ?? document.body
