const focusable = 'input:not([disabled]), select, textarea, button:not([disabled])'

/** Opens what a field is folded into, brings it into view and gives it the focus; `field` may be around it or beside it. */
export function showField(field: Element | null): void {
  if (!field) return
  for (let at: Element | null = field; at; at = at.parentElement) if (at instanceof HTMLDetailsElement) at.open = true
  field.scrollIntoView({ block: 'center' })
  const around = field.closest('[data-setting], section')
  const control = field.matches(focusable)
    ? field
    : (field.querySelector(focusable) ?? around?.querySelector(focusable))
  if (control instanceof HTMLElement) control.focus({ preventScroll: true })
}
