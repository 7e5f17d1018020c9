/** Puts a text on the clipboard; says whether it did. */
export async function copyText(text: string): Promise<boolean> {
  // Without TLS the browser has no clipboard for pages, only the old command, which copies what is selected.
  const clipboard = navigator.clipboard as Clipboard | undefined
  if (clipboard !== undefined) {
    return clipboard.writeText(text).then(
      () => true,
      () => false,
    )
  }
  const field = document.createElement('textarea')
  const before = document.activeElement
  field.value = text
  field.readOnly = true
  field.className = 'sr-only'
  document.body.append(field)
  field.focus()
  field.select()
  const copied = document.execCommand('copy')
  field.remove()
  if (before instanceof HTMLElement) before.focus()
  return copied
}
