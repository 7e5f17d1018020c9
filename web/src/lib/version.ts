const KEY = 'openreg.reloaded'

/**
 * After an upgrade an open page asks for parts that are no longer there: it is loaded anew, whole. Not twice within a
 * minute: then the parts are missing for another reason, and the error is shown.
 */
export function reloadForNewVersion(event: Event, reload: () => void = () => location.reload(), now: number = Date.now()): void {
  if (now - Number(sessionStorage.getItem(KEY) ?? 0) < 60_000) return
  sessionStorage.setItem(KEY, String(now))
  event.preventDefault()
  reload()
}
